"""The vocabulary of a build: artifacts, arguments, steps and stages, and how they are rendered."""
