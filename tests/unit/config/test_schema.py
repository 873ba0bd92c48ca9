"""The JSON Schema: generated from the model, valid, and never stricter than the rules."""

from __future__ import annotations

import json
import re
from pathlib import Path

import attrs
import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from docs.generator import schema
from docs.generator.option_samples import SAMPLE
from kbimg_tasks.config.model import ARRAYS, TABLES
from kbimg_tasks.config.rules import Several, Wrong
from kbimg_tasks.config.tables import names

TOP = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((TOP / "config").rglob("*.toml"))
OPTIONS = [
    (f"{table}.{attribute.name}", attribute)
    for table, kind in {**TABLES, **ARRAYS}.items()
    for attribute in attrs.fields(kind)
]


@pytest.fixture(scope="module")
def jsonschema():
    """The library. It takes seconds to import: not for every worker to load."""
    import jsonschema

    return jsonschema


@pytest.fixture(scope="module")
def validator(jsonschema):
    """The validator of the schema."""
    return jsonschema.Draft202012Validator(schema.schema())


def test_it_is_a_schema(jsonschema):
    jsonschema.Draft202012Validator.check_schema(json.loads(schema.text()))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(TOP)))
def test_examples_are_valid(validator, path):
    validator.validate(tomli.loads(path.read_text(encoding="utf-8")))


def test_every_option_is_in_it_with_its_other_names(validator):
    validator.validate(SAMPLE)
    validator.validate({"users": [{"name": "a", "passwd": "x", "primary_groups": "b"}]})
    for table, kind in {**TABLES, **ARRAYS}.items():
        found = schema.schema()["properties"][table]
        properties = found.get("items", found)["properties"]
        assert set(properties) == {
            name for attribute in attrs.fields(kind) for name in names(attribute)
        }


def test_secrets_are_marked(validator):
    assert validator.schema["properties"]["grub"]["properties"]["passwd"]["writeOnly"]
    assert "writeOnly" not in validator.schema["properties"]["chroot_script"]["properties"]["path"]


@pytest.mark.parametrize(("name", "attribute"), OPTIONS, ids=[name for name, _ in OPTIONS])
def test_every_option_is_described(name, attribute):
    doc = attribute.metadata["doc"]
    assert re.fullmatch(r"[A-Z][^\n]{10,140}\.|.*: openssl passwd -6\.", doc), doc
    for word in ("mib", "gib", "years"):
        if word in attribute.name:
            assert word in doc.lower()


def test_patterns_are_not_pythons_alone():
    """ECMA-262 has no \\Z, \\A, \\U and (?P<; Python has no (?<name>."""
    patterns = re.findall(r'"pattern": (".*")', schema.text())
    assert patterns
    for pattern in map(json.loads, patterns):
        assert not re.search(r"\\[ZAU]|\(\?P|\(\?<[^=!]", pattern)
        re.compile(pattern)


def near(pattern: str) -> st.SearchStrategy[str]:
    """Texts that match, and texts that nearly do."""

    def damaged(drawn):
        text, place, more = drawn
        return text[: place % (len(text) + 1)] + more + text[place % (len(text) + 1) :]

    matching = st.from_regex(pattern, fullmatch=True)
    extra = st.sampled_from(["", ".", "..", "/", "-", "$", "@", ":", "a", "0", " ", "...", "\n"])
    return matching | st.tuples(matching, st.integers(0, 99), extra).map(damaged) | st.text()


# There are many options.
@settings(max_examples=settings.default.max_examples // 5)
@pytest.mark.parametrize(("name", "attribute"), OPTIONS, ids=[name for name, _ in OPTIONS])
@given(data=st.data())
def test_what_a_rule_takes_the_schema_takes(jsonschema, name, attribute, data):
    rule = attribute.metadata["rule"]
    if rule.schema.get("type") == "array":
        value = data.draw(st.lists(near(rule.schema["items"]["pattern"]), max_size=3))
    elif "pattern" in rule.schema:
        value = data.draw(near(rule.schema["pattern"]))
    else:
        bounds = [rule.schema.get(bound, 0) for bound in ("minimum", "maximum")]
        value = data.draw(
            st.sampled_from(
                [
                    True,
                    False,
                    "255.255.0.0",
                    "255.255.255.255",
                    *(bound + step for bound in bounds for step in (-1, 0, 1)),
                ]
            )
        )
    try:
        rule(value)
    except (Wrong, Several):
        return
    jsonschema.validate(value, rule.schema, jsonschema.Draft202012Validator)
