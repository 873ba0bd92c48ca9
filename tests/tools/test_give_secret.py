"""A secret, given to real programs."""

from __future__ import annotations

import subprocess
from pathlib import Path

SECRET = "a pass  phrase's $(id)\n"


def test_each_mark_is_a_file_of_its_own(tool):
    done = tool("give_secret", "cat", "@SECRET@", "@SECRET@", stdin=SECRET)
    assert done.stdout == SECRET * 2


def test_arguments_do_not_have_it(tool):
    done = tool(
        "give_secret",
        "sh",
        "-c",
        'tr "\\0" " " < /proc/self/cmdline; cat "$1"',
        "sh",
        "@SECRET@",
        stdin=SECRET,
    )
    assert done.stdout.count("phrase") == 1 and done.stdout.endswith(SECRET)


def test_a_mark_inside_a_word(tool, tmp_path: Path):
    key = tmp_path / "key.pem"
    made = tool(
        "give_secret",
        "openssl",
        "genpkey",
        "-algorithm",
        "ED25519",
        "-aes-256-cbc",
        "-pass",
        "file:@SECRET@",
        "-out",
        key,
        stdin=SECRET,
    )
    assert made.returncode == 0, made.stderr
    assert "ENCRYPTED" in key.read_text()
    opened = subprocess.run(
        ["openssl", "pkey", "-in", key, "-noout", "-passin", "stdin"],
        input=SECRET,
        text=True,
        check=False,
    )
    assert opened.returncode == 0
    other = tool(
        "give_secret",
        "openssl",
        "pkcs12",
        "-export",
        "-nocerts",
        "-inkey",
        key,
        "-passin",
        "file:@SECRET@",
        "-passout",
        "file:@SECRET@",
        "-out",
        tmp_path / "key.p12",
        stdin=SECRET,
    )
    assert other.returncode == 0, other.stderr


def test_the_status_is_the_programs(tool):
    assert tool("give_secret", "sh", "-c", "exit 7", stdin=SECRET).returncode == 7
