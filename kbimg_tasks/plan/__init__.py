"""Which stage needs which: every arrow of the graph, worked out without touching the disk."""
