"""What one value may be. A rule turns a value of TOML into a value of the model, or says what it
expected; no value that passes can be taken for an option by a program that it is given to."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address
from pathlib import PurePosixPath
from typing import Any, Callable, List, Tuple

from attrs import field, frozen


class Wrong(Exception):
    """A value that its rule does not take."""

    def __init__(self, expected: str, index: Tuple[int, ...] = (), found: Any = None) -> None:
        super().__init__(expected)
        self.expected, self.index, self.found = expected, index, found


class Several(Exception):
    """Several values of one list that are wrong."""

    def __init__(self, wrongs: List[Wrong]) -> None:
        super().__init__()
        self.wrongs = wrongs


Rule = Callable[[Any], Any]


@frozen
class Secret:
    """Text that is never shown: not by repr, not in a message."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret()"


def matching(pattern: str, expected: str, at_most: int = 4096) -> Rule:
    """Strings that match all of a pattern."""
    compiled = re.compile(pattern)

    def rule(value: Any) -> str:
        if not isinstance(value, str) or len(value) > at_most or not compiled.fullmatch(value):
            raise Wrong(expected)
        return value

    return rule


def boolean(value: Any) -> bool:
    """true or false, and nothing that merely looks like it."""
    if not isinstance(value, bool):
        raise Wrong("true or false")
    return value


def number(at_least: int, at_most: int, unit: str) -> Rule:
    """Whole numbers within bounds."""

    def rule(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not (
                at_least <= value <= at_most):  # fmt: skip
            raise Wrong(f"a whole number of {unit} from {at_least} to {at_most}")
        return value

    return rule


def list_of(rule: Rule, of: str, at_least: int = 0) -> Rule:
    """Lists in which the rule takes every element; all wrong ones are told."""

    def check(value: Any) -> Tuple[Any, ...]:
        if not isinstance(value, list):
            raise Wrong(f"a list of {of}")
        if len(value) < at_least:
            raise Wrong(f"a list of {of} that is not empty")
        good, wrongs = [], []
        for index, element in enumerate(value):
            try:
                good.append(rule(element))
            except Wrong as wrong:
                wrongs.append(Wrong(wrong.expected, (index,), element))
        if wrongs:
            raise Several(wrongs)
        return tuple(good)

    return check


def secret(rule: Rule) -> Rule:
    """The same, kept from sight."""

    def check(value: Any) -> Secret:
        return Secret(rule(value))

    return check


def ipv4(value: Any) -> str:
    """An IPv4 address in dotted decimal."""
    try:
        return str(IPv4Address(value if isinstance(value, str) else ""))
    except AddressValueError:
        raise Wrong('an IPv4 address such as "192.168.1.10"') from None


def netmask(value: Any) -> str:
    """An IPv4 netmask: ones, then zeros."""
    wrong = Wrong('an IPv4 netmask such as "255.255.255.0"')
    try:
        bits = int(IPv4Address(value if isinstance(value, str) else ""))
    except AddressValueError:
        raise wrong from None
    inverted = bits ^ 0xFFFFFFFF
    if bits == 0 or inverted & (inverted + 1):
        raise wrong
    return str(value)


def tree_path(value: Any) -> str:
    """A path of the image: absolute, without `..`."""
    if (not isinstance(value, str) or not value.startswith("/") or "\0" in value
            or _has_control(value) or ".." in PurePosixPath(value).parts):  # fmt: skip
        raise Wrong("an absolute path of the image without ..")
    return value


def persist_name(value: Any) -> str:
    """A directory on PERSIST: relative, without `..`."""
    if (not isinstance(value, str) or value.startswith(("/", "-")) or _has_control(value)
            or not value.strip(" /.") or ".." in PurePosixPath(value).parts):  # fmt: skip
        raise Wrong("the name of a directory on PERSIST, relative and without ..")
    return value


def file_mode(value: Any) -> int:
    """An octal mode."""
    return int(matching("0?[0-7]{3,4}", 'an octal mode such as "0644"')(value), 8)


def _has_control(text: str) -> bool:
    return any(ord(character) < 0x20 or ord(character) == 0x7F for character in text)


_PRINTABLE = r"[^\x00-\x1f\x7f]"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN = (r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
           r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")

host_path = matching(rf"(?!-){_PRINTABLE}+", "a path")
package = matching(rf"(?![-\s]){_PRINTABLE}*[^\s\x00-\x1f\x7f]", "a package name", 512)
service = matching(
    r"(?![-.])[A-Za-z0-9:_.\\@-]+", "the name of a systemd unit", 255)
user_name = matching(r"[a-z_][a-z0-9_-]*\$?", "a user name (a to z, 0 to 9, _ and -)", 32)
group_name = matching(r"[a-z_][a-z0-9_-]*\$?", "a group name (a to z, 0 to 9, _ and -)", 32)
owner = matching(r"(?:[a-z_][a-z0-9_-]*|[0-9]+)(?::(?:[a-z_][a-z0-9_-]*|[0-9]+))?",
                 'an owner such as "root" or "root:wheel"', 65)  # fmt: skip
version = matching(r"(?!-)[A-Za-z0-9._+~^-]+", "a version of letters, digits and . _ + ~ ^ -", 64)
# crypt(5): $id$…; a locked account begins with ! or *.
shadow = matching(r"\$(?:1|5|6|y|7|gy|2[aby])\$[^:\s*!]+|[!*]+[^:\s]*",
                  "a password hash as in /etc/shadow (openssl passwd -6)", 512)  # fmt: skip
password = matching(rf"{_PRINTABLE}+", "a password on one line", 512)
disk = matching(r"/dev/[A-Za-z0-9/_.:+-]*[A-Za-z0-9_.:+-]", 'a disk such as "/dev/vda"', 255)
file_name = matching(r"(?![-.])[A-Za-z0-9._+-]+", "the name of a file, without a folder", 255)
interface = matching(r"(?![-.])[^\s/:\x00-\x1f\x7f]{1,15}", "the name of a network interface", 15)
# The grammar of https://pkg.go.dev/github.com/distribution/reference.
image_name = matching(
    rf"(?:{_DOMAIN}/)?{_COMPONENT}(?:/{_COMPONENT})*(?::[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})?"
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",
    'a container image\'s name such as "kubeos-upgrade:v1"', 383)  # fmt: skip
