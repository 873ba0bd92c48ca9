"""The catalogue of stages: each function returns one, and none imports another."""
