"""Tab completion in interactive shells."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from building import TOP, write_config

from kbimg_tasks.cli import completion

BIN = Path(sys.executable).parent
START = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}
# Without these a shell asks before it shows many words, and draws them over and over.
QUIET = {
    "bash": "bind 'set completion-query-items 0'; bind 'set page-completions off'; "
    "bind 'set enable-bracketed-paste off'; bind 'set bell-style none'",
    "zsh": "unsetopt zle_bracketed_paste; autoload -U compinit; compinit -u -D; LISTMAX=0",
}
ESCAPE = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>])")
OVERTYPED = re.compile(r".\x08")


class Shell:
    """An interactive shell in which completion has been switched on as the manual says."""

    def __init__(self, name: str, folder: Path) -> None:
        self.child = pexpect.spawn(
            shutil.which(name) or name,
            START[name],
            cwd=str(folder),
            encoding="utf-8",
            dimensions=(200, 100),
            timeout=60,
            echo=True,
            env={
                **os.environ,
                "PATH": f"{BIN}:{os.environ['PATH']}",
                "TERM": "dumb",
                "HOME": str(folder),
                "PS1": "",
                "HISTFILE": "",
            },
        )
        self.typed(QUIET[name])
        self.typed(f'eval "$(kbimg completion {name})"')

    def typed(self, line: str) -> str:
        """What a command prints."""
        mark = f"done-{len(line)}"
        self.child.sendline(f"{line}; echo {mark[:2]}''{mark[2:]}")
        self.child.expect_exact(mark)
        return self.child.before

    def offered(self, begun: str, tabs: int = 2) -> str:
        """What the terminal shows after TAB, before the line is cleared."""
        self.child.send(begun + "\t" * tabs)
        # What is typed behind the completion shows that the shell is through with it.
        self.child.send("@@")
        self.child.expect_exact("@@")
        shown = OVERTYPED.sub("", ESCAPE.sub("", self.child.before))
        self.child.sendcontrol("c")
        self.typed("true")
        return shown


@pytest.fixture(scope="module", params=["bash", "zsh"])
def shell(request, tmp_path_factory) -> Iterator[Shell]:
    """A shell in a directory with two configurations."""
    if not shutil.which(request.param):
        pytest.skip(f"there is no {request.param} on this machine")
    folder = tmp_path_factory.mktemp(request.param)
    write_config(folder)
    (folder / "other.toml").touch()
    (folder / "other.txt").touch()
    (folder / "results").mkdir()
    started = Shell(request.param, folder)
    yield started
    started.child.close(force=True)


@pytest.mark.parametrize(
    ("begun", "there", "absent"),
    [
        (
            "kbimg ",
            ["boot", "check", "completion", "create", "diff", "doit", "help", "plan"],
            ["-h"],
        ),
        ("kbimg create -f ", ["kbimg.toml", "other.toml", "results/"], ["other.txt"]),
        (
            "kbimg create -f kbimg.toml ",
            ["admin-container", "pxe-img", "upgrade-img", "vm-img"],
            ["other.txt"],
        ),
        ("kbimg create -f kbimg.toml vm-img ", ["arch=", "config=", "out="], ["other.txt"]),
        ("kbimg create -f kbimg.toml vm-img arch=", ["aarch64", "x86_64"], ["out="]),
        ("kbimg doit ", ["list", "vm_img", "rootfs", "prune", "config="], ["_output"]),
        ("kbimg doit vm_img config=", ["kbimg.toml", "other.toml"], ["other.txt"]),
    ],
)
def test_what_is_offered(shell: Shell, begun, there, absent):
    shown = shell.offered(begun).replace(begun.strip(), "", 1)
    assert [word for word in there if word not in shown] == [], shown
    assert [word for word in absent if word in shown] == [], shown


@pytest.mark.parametrize(
    ("begun", "whole"),
    [
        ("kbimg create --f", "kbimg create --file @@"),
        ("kbimg check arc", "kbimg check arch=@@"),
        ("kbimg check arch=aa", "kbimg check arch=aarch64 @@"),
        ("kbimg check out=res", "kbimg check out=results/@@"),
        ("kbimg doit upgrade_i", "kbimg doit upgrade_img @@"),
    ],
)
def test_a_single_word_is_completed(shell: Shell, begun, whole):
    assert f"{shell.offered(begun, 1)}@@".split("\r")[-1].strip().endswith(whole)


def asked(folder: Path, line: str) -> list[str]:
    """The completions, without a shell; nothing else may be printed."""
    answers = folder / "answers"
    done = subprocess.run(
        [BIN / "kbimg"],
        cwd=folder,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={
            **os.environ,
            completion.ASKED: "1",
            "_ARGCOMPLETE_SHELL": "bash",
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
            "_ARGCOMPLETE_IFS": "\n",
            "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
            "_ARGCOMPLETE_COMP_WORDBREAKS": " \t\n=:",
            "_ARGCOMPLETE_STDOUT_FILENAME": str(answers),
        },
    )
    assert done.stdout == ""
    words = answers.read_text().splitlines()
    answers.unlink()
    return [word.strip() for word in words]


@pytest.mark.parametrize("configuration", [None, "[from_repo\n", "[dm_verity]\nefi_key = 7\n"])
def test_no_configuration_is_needed(tmp_path, configuration):
    if configuration:
        (tmp_path / "kbimg.toml").write_text(configuration)
    before = sorted(tmp_path.iterdir())
    assert {"vm_img", "check", "list", "out="} <= {*asked(tmp_path, "kbimg doit ")}
    assert asked(tmp_path, "kbimg create -f none.toml vm-img arch=x") == ["x86_64"]
    assert sorted(tmp_path.iterdir()) == before


def test_doits_own_completion_knows_the_tasks(tmp_path):
    """doit's own `doit tabcompletion` uses `doit list`, which must print nothing else."""
    code = subprocess.run(
        [BIN / "doit", "tabcompletion", "--shell=bash"],
        check=True,
        text=True,
        cwd=TOP,
        stdout=subprocess.PIPE,
    ).stdout
    (tmp_path / "doit").write_text(code)
    # The helper of bash-completion that doit's code calls, which not every machine has.
    (tmp_path / "ask").write_text(
        '_get_comp_words_by_ref() {\n    words=("${COMP_WORDS[@]}") cword=$COMP_CWORD\n'
        "    cur=${words[cword]} prev=${words[cword-1]}\n}\n"
        f". {tmp_path / 'doit'}\nCOMP_WORDS=(doit vm_) COMP_CWORD=1\n_doit\n"
        'echo "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", tmp_path / "ask"],
        cwd=TOP,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
    )
    assert done.stdout == "vm_img\n"
