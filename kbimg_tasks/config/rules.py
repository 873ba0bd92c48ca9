"""Rules that validate one value. A rule converts a value of TOML to a value of the model, or
reports what it expected. Its JSON Schema accepts every value that the rule accepts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Callable

from attrs import frozen


class Wrong(Exception):
    """A value that its rule rejects; `found` describes the value if the value itself is not
    shown."""

    def __init__(self, expected: str, hint: str = "", found: str = "") -> None:
        super().__init__(expected)
        self.expected, self.hint, self.found = expected, hint, found


class Several(Exception):
    """Several invalid elements of one list: index, error and element of each."""

    def __init__(self, wrongs: list[tuple[int, Wrong, Any]]) -> None:
        super().__init__()
        self.wrongs = wrongs


Check = Callable[[Any], Any]
# Python's syntax of a named group, which differs from ECMA-262.
GROUP = re.compile(r"\(\?P<\w+>")


@frozen
class Rule:
    """Called with a TOML value, returns the model's value or raises Wrong. `schema` can accept
    values that the rule rejects, if JSON Schema cannot express the rule."""

    check: Check
    schema: Mapping[str, Any]

    def __call__(self, value: Any) -> Any:
        return self.check(value)


def by_schema(**schema: Any) -> Callable[[Check], Rule]:
    """Makes a validating function a rule."""
    return lambda check: Rule(check, schema)


def ecma_262(pattern: str) -> str:
    """The pattern for a whole string, in the syntax that JSON Schema (ECMA-262) shares with
    Python."""
    return "^(?:{})$".format(GROUP.sub("(?:", pattern).replace(r"\Z", "$"))


def matching(pattern: str, expected: str, at_most: int) -> Rule:
    """Strings of limited length that match a pattern as a whole."""
    compiled = re.compile(pattern)

    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > at_most or not compiled.fullmatch(value):
            raise Wrong(expected)
        return value

    return Rule(check, {"type": "string", "pattern": ecma_262(pattern), "maxLength": at_most})


@by_schema(type="boolean")
def boolean(value: Any) -> bool:
    """true or false, and no other value."""
    if not isinstance(value, bool):
        raise Wrong("true or false", "without quotes" if value in ("true", "false") else "")
    return value


def number(at_least: int, at_most: int, unit: str) -> Rule:
    """Integers in a range."""

    def check(value: Any) -> int:
        expected = f"a whole number of {unit} from {at_least} to {at_most}"
        if isinstance(value, bool) or not isinstance(value, int):
            is_quoted = isinstance(value, str) and value.isdecimal()
            raise Wrong(expected, "without quotes" if is_quoted else "")
        if not at_least <= value <= at_most:
            raise Wrong(expected)
        return value

    return Rule(check, {"type": "integer", "minimum": at_least, "maximum": at_most})


def list_of(rule: Rule, of: str, at_least: int = 0) -> Rule:
    """Lists whose elements all match the rule; all invalid elements are reported."""

    def check(value: Any) -> tuple[Any, ...]:
        if isinstance(value, str):
            raise Wrong(f"a list of {of}", 'in brackets: ["one", "two"]')
        if not isinstance(value, list):
            raise Wrong(f"a list of {of}")
        if len(value) < at_least:
            raise Wrong(f"a list of {of} that is not empty")
        good, wrongs = [], []
        for index, element in enumerate(value):
            try:
                good.append(rule(element))
            except Wrong as wrong:
                wrongs.append((index, wrong, element))
        if wrongs:
            raise Several(wrongs)
        return tuple(good)

    return Rule(
        check,
        {"type": "array", "items": rule.schema, **({"minItems": at_least} if at_least else {})},
    )
