"""The scanner compared with tomli: it must find exactly tomli's paths, in the right places."""

from __future__ import annotations

import tomli
from hypothesis import given
from hypothesis import strategies as st

from kbimg_tasks.config.document import Document
from kbimg_tasks.config.spans import Path, scan
from kbimg_tasks.diagnostics.problem import Span

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


def lines(document: str) -> dict[Path, int]:
    """The line on which each key or element begins."""
    return {path: place.key.line for path, place in scan(document).places.items()}


def stretch(document: str, span: Span) -> str:
    """The text of a span of a document."""
    rows = document.replace("\r\n", "\n").split("\n")[span.line - 1 : span.end_line]
    rows[-1] = rows[-1][: span.end_column - 1]
    rows[0] = rows[0][span.column - 1 :]
    return "\n".join(rows)


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
    for path, expected in (
        (("a",), "a = 1"),
        (("quoted key",), '"quoted key"'),
        (("raw",), "raw = "),
        (("list", 1), '  "two"'),
        (("list", 2, 1), "  4 ]"),
        (("list", 3, "six", 0), "  6 ]"),
        (("table", "sub.table", "dotted", "key", "here"), "dotted.key"),
        (("users", 1, "name"), 'name = "b"'),
        (("users", 0, "more", "x"), "x = 1"),
        (("users", 1, "inner", 1, "y"), "y = 2"),
    ):
        assert text[found[path] - 1].startswith(expected), path


def test_places_count_characters():
    text = "ä.'β' = \"é\" # é\n  [ b . c ]\r\nlong = [ 'x',\n  1.5  , ]\n"
    scanned = scan(text)
    assert scanned.comments == {1: 13}
    for path, key, value in (
        (("ä",), (1, 1, 1, 2), None),
        (("ä", "β"), (1, 3, 1, 6), (1, 9, 1, 12)),
        (("b",), (2, 3, 2, 12), None),
        (("b", "c"), (2, 3, 2, 12), None),
        (("b", "c", "long"), (3, 1, 3, 5), (3, 8, 4, 11)),
        (("b", "c", "long", 1), (4, 3, 4, 6), (4, 3, 4, 6)),
    ):
        place = scanned.places[path]
        assert place.key == Span(*key), path
        assert place.value == (Span(*value) if value else None), path


def test_windows_line_ends():
    assert lines("a = 1\r\nb = [\r\n1,\r\n2]\r\n")[("b", 1)] == 4


KEY = st.one_of(
    st.text("abcxyz-_0189", min_size=1, max_size=4),
    st.text(st.characters(blacklist_categories=["Cs"]), max_size=5),
)
LEAF = st.one_of(
    st.integers(-5, 5),
    st.booleans(),
    st.text(st.characters(blacklist_categories=["Cs"]), max_size=8),
)
VALUE = st.recursive(
    LEAF,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEY, inner, max_size=3)),
    max_leaves=8,
)


def quoted(text: str) -> str:
    return (
        '"'
        + "".join(
            character if character.isalnum() and character.isascii() else f"\\U{ord(character):08X}"
            for character in text
        )
        + '"'
    )


def written(value, draw) -> str:
    """A value as TOML, with line breaks wherever they are allowed."""
    if isinstance(value, dict):
        return (
            "{ "
            + ", ".join(f"{quoted(key)} = {written(inner, draw)}" for key, inner in value.items())
            + " }"
        )
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


PART = st.sampled_from(
    [
        "a",
        "b",
        "c-d",
        "1",
        '"a"',
        "'b'",
        '"x.y"',
        r'"\u0062"',
        r'"\U00000061"',
        "''",
        r'"#]=\""',
        "'[['",
    ]
)
DOTTED = st.tuples(st.lists(PART, min_size=1, max_size=3), st.sampled_from([".", " . "])).map(
    lambda drawn: drawn[1].join(drawn[0])
)
TEXTS = st.sampled_from(
    [
        "'''\na = @\n'''",
        '"""\n[b]\n\\"""\n""""',
        "''''x'''''",
        '"""a \\\n   b"""',
        '"# @"',
        "'\\'",
        "true",
        "1979-05-27T07:32:00Z",
        "1e3",
    ]
)
GAPS = st.sampled_from(["", " ", "\n", " # ] } '''\n\t"])


def array(drawn) -> str:
    elements, gap, comma = drawn
    return f"[{gap}{f'{gap},{gap}'.join(elements)}{gap}{comma if elements else ''}{gap}]"


# An @ stands for a number: its own line.
INSIDE = st.recursive(
    st.just("@") | TEXTS,
    lambda inner: st.one_of(
        st.tuples(st.lists(inner, max_size=3), GAPS, st.sampled_from(["", ","])).map(array),
        st.lists(st.tuples(DOTTED, inner), max_size=2).map(
            lambda pairs: "{" + ", ".join(f"{key} = {value}" for key, value in pairs) + "}"
        ),
    ),
    max_leaves=5,
)
STATEMENT = st.one_of(
    st.tuples(DOTTED, INSIDE).map(" = ".join),
    DOTTED.map("[{}] # [[x]]".format),
    DOTTED.map("[[ {} ]]".format),
    st.sampled_from(["", "  # a = '''", "\t"]),
)


def numbers(value):
    """The whole numbers of a parsed document, each with its path."""
    for path in paths(value):
        inner = reached(value, path)
        if isinstance(inner, int) and not isinstance(inner, bool):
            yield path, inner


@given(st.lists(STATEMENT, max_size=7), st.sampled_from(["\n", "\r\n"]))
def test_every_value_is_found_on_its_line(statements, end):
    rows = "\n".join(statements).split("\n")
    text = end.join(row.replace("@", str(number)) for number, row in enumerate(rows, 1))
    try:
        parsed = tomli.loads(text)
    except tomli.TOMLDecodeError:
        return  # a key given twice
    found = scan(text).places
    assert set(paths(parsed)) == set(found)
    for path, line in numbers(parsed):
        assert found[path].key.line == line
    for path, place in found.items():
        value = reached(parsed, path)
        if place.value:
            assert tomli.loads(f"x = {stretch(text, place.value)}")["x"] == value
        else:
            assert isinstance(value, (dict, list))
        key = stretch(text, place.key)
        if isinstance(path[-1], str) and not key.startswith("["):
            assert list(tomli.loads(f"{key} = 1")) == [path[-1]]
        elif not place.value:
            assert key.startswith("[") and key.endswith("]")
            assert tomli.loads(key)


def reached(value, path):
    """The value of a parsed document at a path."""
    for part in path:
        value = value[part]
    return value


def test_escapes_in_keys():
    for key in (r'"\b\t\n\f\r\"\\"', r'"\u00e9\U0001F600"'):
        assert set(lines(f"{key} = 1\n")) == set(paths(tomli.loads(f"{key} = 1\n")))


def test_where_an_option_stands():
    text = "[grub]\npasswd = 'x'\n[[users]]\nname = 'a'\ngroups = [\n'b',\n'c']\n"
    document = Document("kbimg.toml", (), scan(text).places)
    for option, line in (
        (("grub", "passwd"), 2),
        (("users", 0, "groups", 1), 7),
        (("users", 0), 3),
        (("users", 0, "primary_group"), 3),
        (("users", 1, "name"), 3),
        (("dm_verity", "efi_key"), 0),
    ):
        assert document.line(option) == line
