"""kbimg.toml: read, checked and given as values."""
