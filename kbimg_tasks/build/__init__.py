"""Runs stages and records what they made: runner, stamps, store, locks, host checks."""
