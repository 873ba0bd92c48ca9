"""Performs stages and keeps what they made: runs, stamps, the store, the host check."""
