"""No input ends in a traceback: the result is a configuration or an error message."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbimg_tasks.config import model, tables
from kbimg_tasks.config.load import load
from kbimg_tasks.diagnostics.problem import ConfigError
from kbimg_tasks.diagnostics.show import Painter
from kbimg_tasks.plan.kinds import KINDS

TOP = Path(__file__).resolve().parents[3]


def outcome(folder: Path, content: bytes) -> None:
    """A configuration or an error message; anything else fails the test."""
    (folder / "kbimg.toml").write_bytes(content)
    try:
        load(Path("kbimg.toml"), folder, KINDS.values())
    except ConfigError as error:
        assert str(error)
        assert all(line.startswith("kbimg.toml") for line in str(error).splitlines())
        for problem in error.problems:
            shown = Painter(has_colours=True).text(problem)
            assert shown.startswith("\033[1;31merror")
            if problem.span:
                assert problem.excerpt and problem.span.line == problem.line
                assert (problem.span.line, problem.span.column) >= (1, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("any")


@given(st.binary(max_size=200))
def test_no_bytes_end_in_a_traceback(folder, content):
    outcome(folder, content)


@given(st.text(max_size=200))
def test_no_text_ends_in_a_traceback(folder, content):
    outcome(folder, content.encode("utf-8", "surrogatepass"))


@given(st.data())
def test_no_damaged_example_ends_in_a_traceback(folder, data):
    text = (TOP / "config/full.toml").read_text()
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 30))
        text = text[:place] + data.draw(st.text(max_size=8)) + text[place + length :]
    outcome(folder, text.encode("utf-8", "surrogatepass"))


LEAVES = st.one_of(
    st.text(max_size=12),
    st.integers(),
    st.booleans(),
    st.floats(),
    st.dates(),
    st.datetimes(),
    st.sampled_from(
        [
            "/etc",
            "kernel",
            "x.rpm",
            "a" * 300,
            "\0",
            ".",
            "a:1",
            "10.0.0.1",
            "$6$a$b",
            "-x",
            "wheel",
            "\u2028",
            1 << 99,
        ]
    ),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = sorted(
    {
        name
        for kind in (*model.TABLES.values(), *model.ARRAYS.values())
        for attribute in attrs.fields(kind)
        for name in tables.names(attribute)
    }
)
TABLE = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=6), VALUES, max_size=8)


def toml(value) -> str:
    """A value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return (
            '"'
            + "".join(
                f"\\U{ord(character):08x}" if not 0xD800 <= ord(character) < 0xE000 else "?"
                for character in value
            )
            + '"'
        )
    return value.isoformat() if hasattr(value, "isoformat") else repr(value)


@given(
    st.dictionaries(
        st.sampled_from([*model.TABLES, *model.ARRAYS, *KEYS, "grubs", ""]),
        st.one_of(TABLE, st.lists(TABLE, max_size=2), VALUES),
        max_size=6,
    )
)
def test_no_document_ends_in_a_traceback(folder, document):
    text = "".join(f"{toml(name)} = {toml(value)}\n" for name, value in document.items())
    outcome(folder, text.encode())
