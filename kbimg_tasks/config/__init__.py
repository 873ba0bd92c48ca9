"""kbimg.toml: reading, validation, and its values."""
