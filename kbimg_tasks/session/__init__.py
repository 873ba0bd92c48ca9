"""One run: what was asked, planned, and what keeps it from being built."""
