"""One run: its arguments, its plan, and what prevents building it."""
