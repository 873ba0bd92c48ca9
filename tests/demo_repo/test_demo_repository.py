"""Debian packages through rpmbuild and back into a tree."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

import pytest

from kbimg_tasks.demo_repo import __main__ as command
from kbimg_tasks.demo_repo import apt_packages, repository
from kbimg_tasks.demo_repo.deb import Deb, read
from kbimg_tasks.demo_repo.definitions import Definition, RepositoryDefinition, read_repository
from kbimg_tasks.tools.user_error import UserError

NASTY = ("a b", "[x]", "{y}", "50%{name}%%", "back\\slash", 'quo"te', "sta*r?", "ő")
LAYOUT = Definition(
    "filesystem",
    version="1",
    summary="directories",
    links={"/lib": "usr/lib"},
    directories={"/usr": "0755 root root", "/usr/lib": "0755 root root"},
)


def quiet(_text: str) -> None:
    """Print nothing."""


def rpms_of(debs: Sequence[Path], folder: Path, *packages: Definition) -> list[Path]:
    described = RepositoryDefinition({}, (), ("/usr/share/unwanted",), {}, (LAYOUT, *packages))
    return repository.make_rpms(
        repository.plan(described, [read(path) for path in debs], "amd64"), folder, quiet
    )


def query(rpm: Path, form: str) -> str:
    return subprocess.run(
        ["rpm", "--query", "--nosignature", f"--queryformat={form}", "--package", str(rpm)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_every_file_arrives_where_it_belongs(make_deb: Any, install: Any, tmp_path: Path) -> None:
    def prepare(top: Path) -> None:
        os.link(top / "lib/tool", top / "lib/twin")
        (top / "lib/link").symlink_to("../usr/share/tiny/plain")
        (top / "lib/tool").chmod(0o4755)
        (top / "var/lib/tiny").chmod(0o2770)

    deb = make_deb(
        "tiny",
        {
            "/lib/tool": "#!/bin/sh\n",
            "/usr/share/tiny/plain": "plain\n",
            "/.hidden": "h\n",
            "/etc/tiny.conf": "a=1\n",
            "/var/lib/tiny/state": "kept\n",
            "/usr/share/unwanted/x": "",
            **{f"/usr/share/tiny/{name}": name for name in NASTY},
        },
        conffiles=["/etc/tiny.conf"],
        prepare=prepare,
        Version="1:2.0-beta-3",
    )
    rpms = rpms_of(
        [deb],
        tmp_path / "rpms",
        Definition(
            "tiny-tools",
            made_from=("tiny",),
            provides=("tiny",),
            attributes={
                "/var/lib/tiny/state": "0640 root mail",
                "/usr/share/tiny/plain": "0755 root root cap_net_raw=ep",
            },
            links={"/usr/lib/other": "tool"},
            copies={"/boot/tool": "/usr/lib/tool"},
        ),
    )
    root = tmp_path / "root"
    install(rpms, root)

    assert (root / "lib").is_symlink()
    for name in NASTY:
        assert (root / "usr/share/tiny" / name).read_text() == name
    tool = root / "usr/lib/tool"
    assert stat.S_IMODE(tool.stat().st_mode) == 0o4755
    assert tool.samefile(root / "usr/lib/twin")
    assert (root / "usr/lib/link").read_text() == "plain\n"
    assert os.readlink(root / "usr/lib/other") == "tool"
    assert (root / "boot/tool").read_text() == "#!/bin/sh\n"
    assert (root / ".hidden").read_text() == "h\n"
    assert stat.S_IMODE((root / "var/lib/tiny").stat().st_mode) == 0o2770
    assert (root / "var/lib/tiny/state").read_text() == "kept\n"
    assert os.getxattr(root / "usr/share/tiny/plain", "security.capability")
    assert not (root / "usr/share/unwanted").exists()
    tiny = next(rpm for rpm in rpms if rpm.name.startswith("tiny-tools"))
    assert query(tiny, "%{EPOCHNUM}:%{VERSION}-%{RELEASE}") == "1:2.0_beta-3"
    assert (
        "/etc/tiny.conf"
        in subprocess.run(
            ["rpm", "--query", "--nosignature", "--configfiles", "--package", str(tiny)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    assert query(tiny, "[%{FILENAMES} %{FILEGROUPNAME}\n]").count("/var/lib/tiny/state mail") == 1


def test_two_builds_are_byte_equal(make_deb: Any, tmp_path: Path) -> None:
    deb = make_deb("tiny", {"/usr/lib/a": "a\n", "/etc/b": "b\n"})
    one, other = (rpms_of([deb], tmp_path / name) for name in ("one", "other"))
    assert [path.name for path in one] == [path.name for path in other]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_only_what_changed_is_made_again(make_deb: Any, tmp_path: Path) -> None:
    deb = make_deb("tiny", {"/usr/lib/a": "a\n"})
    folder = tmp_path / "rpms"
    before = rpms_of([deb], folder)
    times = {path: path.stat().st_ino for path in before}
    (folder / ".work-killed").mkdir()
    assert {path: path.stat().st_ino for path in rpms_of([deb], folder)} == times
    assert not (folder / ".work-killed").exists()
    changed = rpms_of([deb], folder, Definition("tiny", made_from=("tiny",), summary="other"))
    assert len(changed) == 2
    assert len(set(changed) - set(before)) == 1
    assert len(list(folder.iterdir())) == 2


def test_the_repository_is_replaced_as_a_whole(make_deb: Any, tmp_path: Path) -> None:
    outdir = tmp_path / "out"
    (tmp_path / ".out.part-killed").mkdir()
    (tmp_path / ".out.part-of-another").mkdir()
    for name in ("first", "second"):
        with repository.locked(tmp_path / ".out.part-of-another"):
            repository.publish(
                rpms_of([make_deb(name, {f"/usr/lib/{name}": ""})], tmp_path / name), outdir
            )
        assert (outdir / f"{name}-1.0-1.noarch.rpm").is_file()
        assert (outdir / "repodata/repomd.xml").is_file()
    assert not (outdir / "first-1.0-1.noarch.rpm").exists()
    assert [path.name for path in tmp_path.glob(".out*")] == [".out.part-of-another"]


def test_it_is_current_until_it_would_be_made_in_another_way(
    make_deb: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outdir, data = tmp_path / "out", tmp_path / "data"
    shutil.copytree(repository.DATA, data)
    monkeypatch.setattr(repository, "DATA", data)
    assert not repository.is_current(outdir)
    repository.publish(rpms_of([make_deb("tiny", {"/usr/lib/a": ""})], tmp_path / "rpms"), outdir)
    assert repository.is_current(outdir)
    (data / "packages/new").mkdir()
    (data / "packages/new/package.toml").write_text("")
    assert not repository.is_current(outdir)
    (data / "packages/new/package.toml").unlink()
    assert repository.is_current(outdir)
    (outdir / "repodata/repomd.xml").unlink()
    assert not repository.is_current(outdir)


def test_a_second_run_is_refused(tmp_path: Path) -> None:
    with (
        repository.locked(tmp_path),
        pytest.raises(UserError, match="another run is using"),
        repository.locked(tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (
            Definition("tiny", made_from=("tiny",), attributes={"/usr/lib/b": "0644 root root"}),
            "tiny: no /usr/lib/b in its Debian packages",
        ),
        (
            Definition("tiny", made_from=("tiny",), links={"/usr/lib/a": "b"}),
            "tiny: /usr/lib/a comes from two places",
        ),
        (Definition("tiny", made_from=("tiny",), links={"/usr/../../a": "b"}), "leads out of"),
    ],
)
def test_a_definition_that_does_not_fit_is_named(
    make_deb: Any, tmp_path: Path, definition: Definition, message: str
) -> None:
    deb = make_deb("tiny", {"/usr/lib/a": ""})
    with pytest.raises(UserError, match=message):
        rpms_of([deb], tmp_path / "rpms", definition)
    assert not list((tmp_path / "rpms").glob(".work-*"))


def test_a_broken_package_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken_1_all.deb"
    path.write_bytes(b"not a package")
    with pytest.raises(UserError, match=r"broken_1_all\.deb"):
        read(path)


def test_an_unreachable_mirror_is_one_line(tmp_path: Path, capsys: Any) -> None:
    sources = tmp_path / "bad.sources"
    sources.write_text(
        "Types: deb\nURIs: http://127.0.0.1:9/debian\nSuites: bookworm\n"
        "Components: main\nTrusted: yes\n"
    )
    assert command.main([str(tmp_path / "out"), "--sources", str(sources)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("demo_repo: error: apt cannot reach its mirror")
    assert not (tmp_path / "out").exists()


def test_a_missing_program_names_its_package(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command.main([str(tmp_path / "out")]) == 1
    assert "apt-get install apt createrepo-c dpkg rpm" in capsys.readouterr().err


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], list[Deb]]:
    """A few real packages, from Debian's mirror."""
    folder = tmp_path_factory.mktemp("apt")
    apt = apt_packages.Apt(folder, folder / "debs", apt_packages.default_sources(), "amd64")
    apt.update()
    names = (
        "bash",
        "coreutils",
        "iputils-ping",
        "isc-dhcp-client",
        "isc-dhcp-server",
        "libc-bin",
        "login",
        "netbase",
        "passwd",
        "sed",
        "grep",
        "debianutils",
        "diffutils",
        "findutils",
        "gawk",
        "gzip",
        "hostname",
        "ncurses-base",
        "ncurses-bin",
        "tar",
        "util-linux",
        "util-linux-extra",
        "bsdutils",
        "mount",
        "fdisk",
        "chrony",
    )
    return lambda: repository.read_all(apt.fetch([names], quiet))


@pytest.mark.image
def test_real_packages_install_as_a_distributions_do(
    debian: Callable[[], list[Deb]], install: Any, tmp_path: Path
) -> None:
    described = read_repository()
    made = repository.make_rpms(
        repository.plan(described, debian(), "amd64"), tmp_path / "rpms", quiet
    )
    # Those that are made of nothing but our own files ask for packages that are not here.
    wanted = [rpm for rpm in made if not rpm.name.startswith(("kubernetes", "grub2", "cri-tools"))]
    root = tmp_path / "root"
    said = install(wanted, root)
    assert "error" not in said.lower() and "warning" not in said.lower(), said

    accounts: dict[str, int] = {
        fields[0]: int(fields[2])
        for fields in (line.split(":") for line in (root / "etc/passwd").read_text().splitlines())
    }
    assert (root / "var/lib/chrony").stat().st_uid == accounts["_chrony"] != 0
    leases = root / "var/lib/dhcpd/dhcpd.leases"
    assert leases.stat().st_uid == accounts["dhcpd"]
    assert leases.stat().st_size > 0
    assert stat.S_IMODE((root / "etc/shadow").stat().st_mode) == 0
    assert stat.S_IMODE((root / "usr/bin/passwd").stat().st_mode) == 0o4755
    assert os.getxattr(root / "usr/bin/ping", "security.capability")
    assert os.readlink(root / "bin") == "usr/bin"
    assert (root / "etc/ld.so.cache").stat().st_size > 0
    assert (root / "var/spool/mail").stat().st_gid == 12

    again = repository.make_rpms(
        repository.plan(described, debian(), "amd64"), tmp_path / "again", quiet
    )
    assert [path.read_bytes() for path in made] == [path.read_bytes() for path in again]


@pytest.mark.image
def test_a_host_with_dnf_uses_its_own_packages(make_deb: Any, tmp_path: Path) -> None:
    packages = [make_deb(name, {f"/usr/lib/{name}": name}) for name in ("bash", "cri-tools")]
    repository.publish(rpms_of(packages, tmp_path / "rpms"), tmp_path / "host")
    (tmp_path / "host.repo").write_text(
        f"[host]\nname=host\nbaseurl=file://{tmp_path}/host\ngpgcheck=0\n"
    )
    status = command.main(
        [
            str(tmp_path / "out"),
            f"--dnf-option=--setopt=reposdir={tmp_path}",
            # The plugin "local" offers what dnf once installed here, whatever reposdir says.
            "--dnf-option=--disableplugin=local",
            f"--dnf-option=--setopt=cachedir={tmp_path}/dnf",
        ]
    )
    assert status == 0
    assert {path.name for path in (tmp_path / "out").glob("*.rpm")} == {
        "bash-1.0-1.noarch.rpm",
        "cri-tools-1.0-1.noarch.rpm",
        "filesystem-1-1.noarch.rpm",
        "kubernetes-kubeadm-1.29.1-1.noarch.rpm",
        "kubernetes-kubelet-1.29.1-1.noarch.rpm",
    }
