"""The exception for errors that are reported to the user."""

from __future__ import annotations


class UserError(Exception):
    """What was asked for cannot be done. `message` says what is wrong: the file, the option, what
    was expected and found. `hint` says what to do about it, if that is known."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message
