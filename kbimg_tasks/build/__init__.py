"""Performs stages and keeps what they made: runs, stamps, the store, and whether this host can build."""
