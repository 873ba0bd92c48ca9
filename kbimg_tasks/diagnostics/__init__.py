"""Error messages for users, and how they are displayed."""
