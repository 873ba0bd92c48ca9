"""Secret text."""

from __future__ import annotations

from attrs import field, frozen


@frozen(eq=False)
class Hidden:
    """Text that repr, str and hash do not show; only `reveal` returns it."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and self._text == other._text

    def __hash__(self) -> int:
        return hash(Hidden)

    def __repr__(self) -> str:
        return "Secret()"
