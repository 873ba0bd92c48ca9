"""Messages for users: what is wrong and where, and how it looks."""
