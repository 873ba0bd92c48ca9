"""Builds at the same time, one after another, and in conflict."""

from __future__ import annotations

import base64
import functools
import http.server
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from building import SMALL, TOP, build, digest, made, run_doit, write_config, write_custom
from tiny import PACKAGES, configure

pytestmark = pytest.mark.image

MIB = 1 << 20


def sums(out: Path) -> dict:
    """Digests of all published files of a build."""
    found = {}
    for path in (
        out / "kubeos.tar",
        out / "system.qcow2",
        *(out / ".kbimg/stages").glob("*/*.img"),
    ):
        found[path.name] = digest(path)
    return found


@pytest.fixture
def small(tiny_repo, tmp_path: Path) -> Path:
    """A folder with the smallest configuration that makes a disk."""
    configure(tmp_path, tiny_repo)
    return tmp_path


@pytest.mark.long
def test_same_bytes_one_after_the_other_and_at_once(repository, tmp_path):
    """Two directories, two times, with and without parallel stages."""
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
        write_custom(folder)
    build(folders[0], "-n", "1")
    build(folders[1], "-n", "2")
    first, second = (sums(folder / "scripts-auto") for folder in folders)
    assert set(first) == {"kubeos.tar", "system.qcow2", "esp.img", "root-b.img", "persist.img"}
    assert first == second


def test_four_builds_at_the_same_time(small):
    """With threads and with processes, all from one cache that starts empty."""
    command = [sys.executable, "-m", "doit", "-f", str(TOP / "dodo.py"), "-n", "2", "-P"]
    running = [
        subprocess.Popen(
            [*command, workers, "vm_img", f"out={name}", "cache=cache"],
            cwd=small,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for name, workers in zip("abcd", ("thread", "process") * 2)
    ]
    outputs = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * 4, outputs
    first, *others = (sums(small / name) for name in "abcd")
    assert others == [first] * 3
    assert sums(build(small, "-n", "1")) == first
    trees = {(small / name / ".kbimg/stages/rootfs").resolve() for name in "abcd"}
    assert len(trees) == 1


def test_nothing_changed_makes_nothing(small):
    out = build(small)
    before = sums(out)
    done = run_doit(small, "vm_img")
    assert (done.returncode, made(done.stdout)) == (0, [])
    assert sums(out) == before


def test_a_comment_makes_nothing_and_a_password_little(small):
    build(small)
    path = small / "kbimg.toml"
    path.write_text("# a comment\n" + path.read_text())
    assert made(run_doit(small, "vm_img").stdout) == []
    path.write_text(path.read_text().replace("$1$xyz$", "$1$abc$"))
    assert set(made(run_doit(small, "vm_img").stdout)) == {
        "customised",
        "kubeos_tar",
        "esp",
        "system_img",
        "system_qcow2",
        "kubeos_tar_sha256",
        "system_qcow2_sha256",
        "build_tools",
    }


def test_other_sizes(small):
    out = build(small)
    table = subprocess.run(
        ["sfdisk", "-d", out / "system.img"], check=True, text=True, capture_output=True
    ).stdout
    assert "start=      122880, size=      524288" in table
    assert (out / "system.img").stat().st_size == 3 << 30


def test_a_tree_too_large_is_refused_with_both_sizes(tiny_repo, tmp_path):
    with open(tmp_path / "big", "wb") as stream:
        for _ in range(280):
            stream.write(os.urandom(MIB))
    configure(tmp_path, tiny_repo, '[[copy_files]]\nsrc = "big"\ndst = "/usr/share/big"\n')
    done = run_doit(tmp_path, "vm_img")
    assert done.returncode != 0
    assert "the root tree needs" in done.stdout
    assert "but a root partition of 256 MiB holds" in done.stdout
    assert ": disk_partition.root: " in done.stdout
    left = {path.name for path in (tmp_path / "scripts-auto").iterdir()} - {".kbimg"}
    assert left <= {"packages.txt", "sbom.cdx.json"}


def test_a_failing_chroot_script(small):
    (small / "fails.sh").write_text("#!/bin/sh\necho words of the script\nexit 42\n")
    with open(small / "kbimg.toml", "a", encoding="utf-8") as stream:
        stream.write('[chroot_script]\npath = "fails.sh"\n')
    done = run_doit(small, "vm_img")
    assert done.returncode != 0
    assert "customised: command failed with exit status 42" in done.stdout
    assert "    words of the script\n" in done.stdout
    line = (small / "kbimg.toml").read_text().splitlines().index('path = "fails.sh"') + 1
    assert f"kbimg.toml:{line}: chroot_script.path: words of the script" in done.stdout
    assert not (small / "scripts-auto/system.img").exists()
    assert not (small / "scripts-auto/kubeos.tar").exists()


def test_a_script_without_a_hash_bang_runs(small):
    (small / "plain.sh").write_text("echo ran > /usr/share/ran\n")
    with open(small / "kbimg.toml", "a", encoding="utf-8") as stream:
        stream.write('[chroot_script]\npath = "plain.sh"\nrm = false\n')
    out = build(small)
    names = subprocess.run(
        ["tar", "-tf", out / "kubeos.tar"], check=True, text=True, capture_output=True
    ).stdout.splitlines()
    assert {"./usr/share/ran", "./plain.sh"} <= set(names)


def test_a_package_that_does_not_exist(tiny_repo, tmp_path):
    configure(tmp_path, tiny_repo, packages=(*PACKAGES, "no-such-package"))
    done = run_doit(tmp_path, "vm_img")
    assert done.returncode != 0
    assert "No match for argument: no-such-package" in done.stdout


@pytest.mark.parametrize("name", ["@kubeos-node", "/usr/bin/tar", "kernel-6*", "tar-1.*"])
def test_rpmlist_takes_what_dnf_takes(repository, tmp_path, name):
    write_config(tmp_path, (*SMALL, name))
    done = run_doit(tmp_path, "packages")
    assert done.returncode == 0, done.stdout


def test_a_repository_on_a_server(tiny_repo, tmp_path, monkeypatch):
    """Packages are downloaded by HTTP once; the next build, in another directory, requests none of
    them. The repository's URL has a variable of dnf, and the server requires a name and a
    password."""
    asked = []
    wanted = "Basic " + base64.b64encode(b"reader:pass word").decode()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            if self.headers["Authorization"] != wanted or not self.path.startswith("/x86_64/"):
                self.send_error(401)
                return
            self.path = self.path[len("/x86_64") :]
            super().do_GET()

        def log_request(self, code="-", size="-"):
            asked.append(self.path)

    serve = functools.partial(Handler, directory=str(tiny_repo.parent / "rpms"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        (tmp_path / "http.repo").write_text(
            f"[{tmp_path.parent.name}]\nname=x\nbaseurl={url}$basearch/\ngpgcheck=0\n"
            "username=reader\npassword=pass word\n"
        )
        path = configure(tmp_path, tiny_repo)
        path.write_text(path.read_text().replace(str(tiny_repo), "http.repo"))
        out = build(tmp_path)
        first = [name for name in asked if name.endswith(".rpm")]
        count = int((out / ".kbimg/stages/packages/count").read_text())
        assert len(first) == count
        asked.clear()
        done = run_doit(tmp_path, "packages", "out=other")
        assert done.returncode == 0, done.stdout
        assert "/repodata/repomd.xml" in asked
        assert not [name for name in asked if name.endswith(".rpm")]
        server.shutdown()
    for path in (out / ".kbimg").rglob("*.log"):
        assert "pass word" not in path.read_text()
    # The same packages from another source give the same tree.
    (tmp_path / "local").mkdir()
    configure(tmp_path / "local", tiny_repo)
    assert sums(build(tmp_path / "local")) == sums(out)


def test_gpgcheck_is_obeyed(tiny_repo, tmp_path):
    checked = tmp_path / "checked.repo"
    checked.write_text(tiny_repo.read_text().replace("gpgcheck=0", "gpgcheck=1"))
    configure(tmp_path, checked)
    done = run_doit(tmp_path, "packages")
    assert done.returncode != 0
    assert "not signed" in done.stdout


def test_signed_packages_are_taken(tiny_repo, tmp_path):
    """The same packages, signed, from a repository with gpgcheck and the key."""
    configure(tmp_path, tiny_repo)
    assert run_doit(tmp_path, "packages").returncode == 0
    listing = tmp_path / "scripts-auto/.kbimg/stages/packages/packages.list"
    signed = tmp_path / "signed"
    signed.mkdir()
    for path in listing.read_text().splitlines():
        shutil.copy(path, signed)
    home = tempfile.mkdtemp(dir="/tmp", prefix="gpg-")  # gpg-agent's socket needs a short path
    try:
        env = {**os.environ, "GNUPGHOME": home}
        gpg = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
        subprocess.run([*gpg, "--quick-generate-key", "kbimg test", "rsa2048"], check=True, env=env)
        subprocess.run(
            [*gpg, "--armor", "--export", "--output", signed / "key"], check=True, env=env
        )
        subprocess.run(
            [
                "rpmsign",
                "--define",
                "_gpg_name kbimg test",
                "--define",
                f"__gpg {shutil.which('gpg')}",
                "--addsign",
                *signed.glob("*.rpm"),
            ],
            check=True,
            env=env,
            stdout=subprocess.DEVNULL,
        )
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], check=True, env=env)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    subprocess.run(["createrepo_c", "--quiet", signed], check=True)
    (tmp_path / "signed.repo").write_text(
        f"[signed]\nname=x\nbaseurl=file://{signed}\ngpgcheck=1\ngpgkey=file://{signed}/key\n"
    )
    path = tmp_path / "kbimg.toml"
    path.write_text(path.read_text().replace(str(tiny_repo), "signed.repo"))
    done = run_doit(tmp_path, "packages")
    assert done.returncode == 0, done.stdout
    assert made(done.stdout) == ["packages"]


def test_no_secret_is_left_where_others_can_read(custom_image):
    out = custom_image
    secrets = [b"foo's pass word", b"grub-secret"]
    for path in (out / ".kbimg").rglob("*"):
        if path.is_file() and "stages" not in path.parts:
            text = path.read_bytes()
            assert not any(secret in text for secret in secrets), path
    assert (out / ".kbimg").stat().st_mode & 0o777 == 0o700


def test_no_mount_and_no_loop_device_is_left(small):
    build(small)
    assert str(small) not in Path("/proc/self/mountinfo").read_text()
    assert (
        str(small)
        not in subprocess.run(
            ["losetup", "--list"], check=True, text=True, capture_output=True
        ).stdout
    )
