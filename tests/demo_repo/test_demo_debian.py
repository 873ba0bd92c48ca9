"""Control information of Debian packages, and the requirements that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from kbimg_tasks.demo_repo.apt_packages import CHOSEN, file_name
from kbimg_tasks.demo_repo.deb import Deb, parse_control, parse_relations
from kbimg_tasks.demo_repo.definitions import Definition, RepositoryDefinition
from kbimg_tasks.demo_repo.dependencies import answer, providers, requirements
from kbimg_tasks.tools.user_error import UserError


def deb(name: str, depends: str = "", provides: Sequence[str] = ()) -> Deb:
    return Deb(
        Path(f"{name}_1_all.deb"),
        name,
        "1",
        "all",
        name,
        name,
        parse_relations(depends),
        frozenset(provides),
        frozenset(),
    )


def test_fields_and_their_continuation() -> None:
    fields = parse_control("Package: a\nDescription: short\n long\n .\n more\nVersion: 1\n")
    assert fields == {"Package": "a", "Description": "short\nlong\n.\nmore", "Version": "1"}


def test_relations_keep_only_names() -> None:
    text = "libc6 (>= 2.36), python3:any, a | b (<< 2) | c [amd64],\n d"
    assert parse_relations(text) == (("libc6",), ("python3",), ("a", "b", "c"), ("d",))


def test_the_first_alternative_that_is_there_answers() -> None:
    provider = providers([deb("b"), deb("gawk", provides=["awk"])])
    assert answer(("a", "b"), provider) == "b"
    assert answer(("awk",), provider) == "gawk"
    assert answer(("x",), provider) == ""


def test_a_real_package_comes_before_a_virtual_one() -> None:
    assert providers([deb("a", provides=["b"]), deb("b")])["b"] == "b"


def test_requirements_are_names_of_rpms_without_its_own() -> None:
    debs = [deb("one", "two, libc6, debconf, nowhere"), deb("two", "one")]
    everything = [*debs, deb("libc6"), deb("debconf")]
    rpm_of = {"one": "both", "two": "both", "libc6": "glibc"}
    needed = requirements(debs, providers(everything), rpm_of, {"debconf"}.__contains__)
    assert needed == ("glibc",)


def test_what_apt_would_install() -> None:
    output = (
        "Inst dracut (059-4 Debian:12.11/stable [all]) []\n"
        "Inst dmsetup (2:1.02.185-2 Debian:12.11/stable [amd64])\n"
        "Conf dracut (059-4 Debian:12.11/stable [all])\n"
    )
    assert CHOSEN.findall(output) == [
        ("dracut", "059-4", "all"),
        ("dmsetup", "2:1.02.185-2", "amd64"),
    ]
    assert file_name("dmsetup", "2:1.02.185-2", "amd64") == "dmsetup_2%3a1.02.185-2_amd64.deb"


def repository(*packages: Definition) -> RepositoryDefinition:
    return RepositoryDefinition({}, ("left-*",), (), {"old": "new"}, packages)


def test_packages_are_grouped_left_out_and_renamed() -> None:
    kernel = Definition("kernel", made_from=("linux-image-[0-9]*",))
    absent = Definition("absent", made_from=("absent",))
    own = Definition("own", version="1")
    grouped = repository(kernel, absent, own).group(
        ["left-out", "linux-image-6.1", "old", "other"], "amd64"
    )
    assert [(each.name, names) for each, names in grouped] == [
        ("kernel", ("linux-image-6.1",)),
        ("own", ()),
        ("new", ("old",)),
        ("other", ("other",)),
    ]


def test_the_order_of_patterns_is_kept() -> None:
    pam = Definition("pam", made_from=("b", "a*"))
    assert repository(pam).group(["a1", "a2", "b"], "amd64") == [(pam, ("b", "a1", "a2"))]


def test_two_definitions_cannot_claim_one_package() -> None:
    with pytest.raises(UserError, match="belongs to one and two"):
        repository(Definition("one", made_from=("a",)), Definition("two", made_from=("a",))).group(
            ["a"], "amd64"
        )
