"""The scanner against tomli: it must find just the paths that tomli finds, on the right lines."""

from __future__ import annotations

import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from kbimg_tasks.config.locate import lines

NASTY = """# comment [not.a.table]
a = 1 # b = 2
"quoted key" = "with # and = and ] and \\" inside"
'lit' = 'C:\\path'
multi = \"\"\"
[no.table]
x = \\"\\"\\"
\"\"\"
raw = '''
key = "no"
'''''
list = [ 1, # one
  "two", [ 3,
  4 ], { five = 5, six = [
  6 ] },
]
[table . "sub.table"]
dotted.key.here = true
time = 1979-05-27T07:32:00Z
[[users]]
name = "a"
[users.more]
x = 1
[[users]]
name = "b"
[[users.inner]]
y = 1
[[users.inner]]
y = 2
"""


def paths(value, at=()):
    """Every path of a parsed document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*at, key)
            yield from paths(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield (*at, index)
            yield from paths(inner, (*at, index))


def test_nasty_document():
    found = lines(NASTY)
    assert set(paths(tomli.loads(NASTY))) <= set(found)
    text = NASTY.splitlines()
    for path, expected in ((("a",), "a = 1"), (("quoted key",), '"quoted key"'),
                           (("raw",), "raw = "), (("list", 1), '  "two"'),
                           (("list", 2, 1), "  4 ]"), (("list", 3, "six", 0), "  6 ]"),
                           (("table", "sub.table", "dotted", "key", "here"), "dotted.key"),
                           (("users", 1, "name"), 'name = "b"'),
                           (("users", 0, "more", "x"), "x = 1"),
                           (("users", 1, "inner", 1, "y"), "y = 2")):
        assert text[found[path] - 1].startswith(expected), path


def test_windows_line_ends():
    assert lines("a = 1\r\nb = [\r\n1,\r\n2]\r\n")[("b", 1)] == 4


KEY = st.one_of(st.text("abcxyz-_0189", min_size=1, max_size=4),
                st.text(st.characters(blacklist_categories=["Cs"]), max_size=5))
LEAF = st.one_of(st.integers(-5, 5), st.booleans(),
                 st.text(st.characters(blacklist_categories=["Cs"]), max_size=8))
VALUE = st.recursive(LEAF, lambda inner: st.one_of(
    st.lists(inner, max_size=3), st.dictionaries(KEY, inner, max_size=3)), max_leaves=8)


def quoted(text: str) -> str:
    return '"' + "".join(character if character.isalnum() and character.isascii()
                         else f"\\U{ord(character):08X}" for character in text) + '"'


def written(value, draw) -> str:
    """A value as TOML, with line breaks wherever they are allowed."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{quoted(key)} = {written(inner, draw)}"
                                for key, inner in value.items()) + " }"
    if isinstance(value, list):
        gap = draw(st.sampled_from(["", "\n", " # ] no\n  "]))
        return "[" + gap + ("," + gap).join(written(inner, draw) for inner in value) + gap + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        if draw(st.booleans()) and "'" not in value and value.isprintable():
            return f"'{value}'"
        return quoted(value)
    return str(value)


@settings(deadline=None, max_examples=300)
@given(st.data(), st.dictionaries(KEY, VALUE, max_size=5))
def test_finds_what_tomli_finds(data, document):
    parts, expected = [], {}
    line = 1
    for key, value in document.items():
        gap = "\n" * data.draw(st.integers(0, 2))
        line += len(gap)
        expected[(key,)] = line
        text = f"{gap}{quoted(key)} = {written(value, data.draw)}\n"
        line += text.count("\n") - len(gap)
        parts.append(text)
    text = "".join(parts)
    parsed = tomli.loads(text)
    assert parsed == document
    found = lines(text)
    assert set(paths(parsed)) == set(found)
    assert expected.items() <= found.items()
