"""The rules of the kinds of values.

No program can mistake a valid value for an option; a path of this machine can start with `-`, since
it is made absolute. Values that are written into scripts (version, disk, file_name, interface,
addresses) have no character that is special in a shell.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address
from pathlib import PurePosixPath
from typing import Any

from kbimg_tasks.config.rules import Wrong, by_schema, ecma_262, matching

PATH_BYTES = 4096  # PATH_MAX and NAME_MAX of Linux
NAME_BYTES = 255
IMAGE_NAME_CHARACTERS = 255

# No control character of ASCII, Latin-1 or Unicode that begins a new line.
_LETTER = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]"
_ACCOUNT = r"[a-z_][a-z0-9_-]*\$?"
_IDENTITY = r"(?:[a-z_][a-z0-9_-]{0,31}|[0-9]{1,9})"
# crypt(5): the characters of a hash, and the methods of libxcrypt.
_HASH = r"\$(?:1|5|6|7|y|gy|2[aby])\$[\x22-)+-9<-\[\]-~]+"

# dnf takes names, versions, globs, `@group`, `/usr/bin/file`, conditions, and RPM files.
package = matching(rf"(?![-\s])(?!@\Z){_LETTER}*(?!\s){_LETTER}", "a package name", PATH_BYTES)
host_path = matching(rf"(?!\s+\Z){_LETTER}+", "a path", PATH_BYTES)
service = matching(r"(?![-.])[A-Za-z0-9:_.\\@-]+", "the name of a systemd unit", NAME_BYTES)
# useradd(8) and groupadd(8).
user_name = matching(_ACCOUNT, "a user name (a to z, 0 to 9, _ and -)", 32)
group_name = matching(_ACCOUNT, "a group name (a to z, 0 to 9, _ and -)", 32)
owner = matching(rf"{_IDENTITY}(?::{_IDENTITY})?", 'an owner such as "root" or "root:wheel"', 65)
version = matching(r"(?!-)[A-Za-z0-9._+~^-]+", "a version of letters, digits and . _ + ~ ^ -", 64)
shadow = matching(
    rf"!{{0,2}}{_HASH}|[!*]{{1,2}}", "a password hash as in /etc/shadow (openssl passwd -6)", 512
)
password = matching(rf"(?!\s+\Z){_LETTER}+", "a password on one line", 512)
disk = matching(
    r"/dev(?:/(?!\.\.?(?:/|\Z))[A-Za-z0-9._:+=@,-]+)+", 'a disk such as "/dev/vda"', NAME_BYTES
)
file_name = matching(
    r"(?![-.])[A-Za-z0-9._+~-]+", "the name of a file, without a folder", NAME_BYTES
)
# The kernel's dev_valid_name() allows more, which no real interface uses.
interface = matching(r"(?![-.])[A-Za-z0-9_.+-]+", "the name of a network interface", 15)


_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"


@by_schema(type="string", pattern=ecma_262(rf"{_BYTE}(?:\.{_BYTE}){{3}}"))
def ipv4(value: Any) -> str:
    """An IPv4 address in dotted decimal."""
    try:
        return str(IPv4Address(value if isinstance(value, str) else ""))
    except AddressValueError:
        raise Wrong('an IPv4 address such as "192.168.1.10"') from None


@by_schema(enum=[str(IPv4Address((1 << 32) - (1 << 32 - ones))) for ones in range(1, 33)])
def netmask(value: Any) -> str:
    """An IPv4 netmask: ones, then zeros."""
    wrong = Wrong('an IPv4 netmask such as "255.255.255.0"')
    try:
        zeros = int(IPv4Address(value if isinstance(value, str) else "")) ^ 0xFFFFFFFF
    except AddressValueError:
        raise wrong from None
    if zeros == 0xFFFFFFFF or zeros & (zeros + 1):
        raise wrong
    return str(value)


_NO_PARENT = r"(?!(?:.*/)?\.\.(?:/|\Z))"


@by_schema(type="string", maxLength=PATH_BYTES - 1, pattern=ecma_262(rf"{_NO_PARENT}/{_LETTER}*"))
def tree_path(value: Any) -> str:
    """A path of the image: absolute, without `..`."""
    if not _is_path(value) or not value.startswith("/"):
        raise Wrong("an absolute path of the image without ..")
    return str(value)


@by_schema(
    type="string",
    maxLength=PATH_BYTES - 1,
    pattern=ecma_262(rf"(?![-/])(?!\.(?:/+\.?)*\Z){_NO_PARENT}{_LETTER}+"),
)
def persist_name(value: Any) -> str:
    """A directory on PERSIST: relative, without `..`."""
    if not _is_path(value) or value.startswith(("/", "-")) or str(PurePosixPath(value)) == ".":
        raise Wrong("the name of a directory on PERSIST, relative and without ..")
    return str(PurePosixPath(value))


def _is_path(value: Any) -> bool:
    if not isinstance(value, str) or not re.fullmatch(rf"{_LETTER}+", value):
        return False
    parts = PurePosixPath(value).parts
    return (
        ".." not in parts
        and len(value.encode()) < PATH_BYTES
        and all(len(part.encode()) <= NAME_BYTES for part in parts)
    )


_octal = matching("0?[0-7]{3,4}", 'an octal mode in quotes such as "0644"', 5)


@by_schema(**_octal.schema)
def file_mode(value: Any) -> int:
    """An octal mode, as text."""
    return int(_octal(value), 8)


_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN_PART = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_NAME = rf"(?P<name>(?:{_DOMAIN}/)?{_COMPONENT}(?:/{_COMPONENT})*)(?::{_TAG})?"
_REFERENCE_CHARACTERS = 1023
_REFERENCE = rf"{_NAME}(?P<digest>@{_DIGEST})?"
_NAMED = re.compile(_REFERENCE)
_IDENTIFIER = "[0-9a-f]{64}"  # docker interprets it as an image ID
_IS_NAME = rf"(?!{_IDENTIFIER}(?:@|:[^/]*\Z|\Z))(?![^:@]{{{IMAGE_NAME_CHARACTERS + 1}}})"


@by_schema(type="string", maxLength=_REFERENCE_CHARACTERS, pattern=ecma_262(_IS_NAME + _REFERENCE))
def image_name(value: Any) -> str:
    """A container image's name (grammar: https://pkg.go.dev/github.com/distribution/reference)."""
    is_short = isinstance(value, str) and len(value) <= _REFERENCE_CHARACTERS
    found = _NAMED.fullmatch(value) if is_short else None
    if (
        found is None
        or len(found["name"]) > IMAGE_NAME_CHARACTERS
        or re.fullmatch(_IDENTIFIER, found["name"])
    ):
        has_capitals = isinstance(value, str) and value != value.lower()
        raise Wrong(
            'a container image\'s name such as "kubeos-upgrade:v1"',
            "capitals are for tags only" if has_capitals else "",
        )
    return str(value)


@by_schema(type="string", maxLength=_REFERENCE_CHARACTERS, pattern=ecma_262(_IS_NAME + _NAME))
def new_image_name(value: Any) -> str:
    """The name of a container image to make, without a digest, which is unknown before."""
    name = image_name(value)
    if "@" in name:
        raise Wrong('a container image\'s name without a digest, such as "kubeos-upgrade:v1"')
    return name
