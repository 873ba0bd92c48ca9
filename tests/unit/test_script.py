"""Stages as shell scripts: their text, and that they do the same as the runner. After an intended
change: KBIMG_GOLDEN=write python -m pytest tests/unit/test_script.py"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest
from building import TOP

from kbimg_tasks.build.runner import perform
from kbimg_tasks.commands.scripts import folder as plan_folder
from kbimg_tasks.commands.scripts import script
from kbimg_tasks.config.load import load
from kbimg_tasks.plan.images import plan
from kbimg_tasks.steps.args import (
    Artifact,
    Content,
    Program,
    Secret,
    Size,
    Text,
    UserFile,
    cache,
    joined,
    scratch,
)
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import run
from kbimg_tasks.tools.user_error import UserError

GOLDEN = TOP / "tests/golden/plan"
# Each image of each example that can be made without a container engine.
EXAMPLES = [
    (example, image)
    for example in ("full", "dm-verity", "pxe-img", "legacy-bios")
    for image in plan(load(Path(f"config/{example}.toml"), TOP)).images
]
HASH = "RdLyKTL32WEvK3lg8CXID0"  # of root's password in the examples
NASTY = "a b'c\"d$HOME`id`\\$(id)\\\\!*?~ #;&|<>\n\ttab \u00e4 {x,y} %s -- END"
HERE = f"{NASTY}\nEND\nEND_\n$(id)\\\n\n"


def stages_of(example: str, image: str) -> tuple[Stage, ...]:
    return plan(load(Path(f"config/{example}.toml"), TOP)).in_order(image)


def written(folder: Path, stages: tuple[Stage, ...], image: str = "vm_img") -> Path:
    """The folder of a plan; its output directory lies beside it."""
    return plan_folder.write(image, "an image", stages, Layout(folder, folder / "cache")).parent


@pytest.mark.parametrize("name", ["05-customised", "09-system_img"])
def test_scripts_as_a_review_sees_them(name):
    stages = stages_of("vm-img", "vm_img")
    text = dict(zip(script.names(stages), map(script.stage, stages)))[name]
    text = text.replace(str(TOP), "/kbimg")
    path = GOLDEN / f"{name}.sh"
    if os.environ.get("KBIMG_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize(("example", "image"), EXAMPLES)
def test_scripts_of_every_example(example, image, tmp_path):
    stages = stages_of(example, image)
    folder = written(tmp_path, stages, image)
    scripts = sorted(folder.glob("*.sh"))
    assert len(scripts) == len(stages) + 2
    done = subprocess.run(["shellcheck", *scripts], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout
    said = (folder / "build.sh").read_text()
    assert [line.split("-", 1)[1] for line in said.splitlines() if line.startswith("stage ")] == [
        stage.name for stage in stages
    ]
    for path in scripts:
        first, second, *_ = path.read_text().splitlines()
        assert path.name == "environment.sh" or (first, second[:2]) == ("#!/bin/sh", "# ")
        assert len(second) > 10, path


@pytest.mark.parametrize(("example", "image"), EXAMPLES)
def test_no_secret_stands_in_any_file(example, image, tmp_path):
    text = (TOP / f"config/{example}.toml").read_text()
    text = re.sub(r"^keys_dir = .*", "", text, flags=re.MULTILINE)
    text, count = re.subn(
        r'^(passwd|efi_key|grub_key) = ".*"', r'\1 = "hidden-word"', text, flags=re.MULTILINE
    )
    path = tmp_path / "kbimg.toml"
    path.write_text(text)
    stages = plan(load(path, TOP)).in_order(image)
    folder = written(tmp_path, stages, image)
    for path in (path for path in folder.rglob("*") if path.is_file()):
        assert not any(secret in path.read_text() for secret in ("hidden-word", HASH)), path
    if example in ("full", "dm-verity") and image != "admin_container":
        assert count >= 3
        assert script.secrets(stages)
    done = subprocess.run(["shellcheck", *folder.glob("*.sh")], check=False)
    assert done.returncode == 0


def test_checks_come_first():
    names = [stage.name for stage in stages_of("dm-verity", "vm_img")]
    assert names[:3] == ["signing_keys", "packages", "verity_programs"]
    names = [stage.name for stage in stages_of("pxe-img", "pxe_img")]
    assert names[:2] == ["packages", "pxe_programs"]


def test_what_the_scripts_need_lies_beside_them(tmp_path):
    folder = written(tmp_path, stages_of("full", "admin_container"), "admin_container")
    named = {
        word
        for path in folder.glob("*.sh")
        for word in path.read_text().split()
        if word.startswith('"$PLAN/data/')
    }
    assert len(named) > 3
    for word in named:
        path = folder / word.strip('"').replace("$PLAN/", "")
        original = TOP / "kbimg_tasks" / path.relative_to(folder)
        assert path.stat().st_mode == original.stat().st_mode
    environment = {"PYTHONPATH": str(folder), "PATH": os.environ["PATH"]}
    for path in (folder / "kbimg_tasks/tools").glob("[a-z]*.py"):
        show = f"import kbimg_tasks.tools.{path.stem} as it; print(it.__file__)"
        done = subprocess.run(
            [sys.executable, "-c", show],
            cwd="/",
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == str(path)


# Everything that a step can be: printed with a byte that is in no argument behind each.
ARGUMENTS = ("printf", "%s\\0", NASTY, "", "~", "a=b", "-x", "*")
OTHER = Artifact("before", "number")
SHOW = (
    "umask; pwd; env | sort; id -u; readlink /proc/self/fd/0; ls /proc/self/fd | wc -l; "
    "ps -A -o pid="
)


def example(folder: Path) -> tuple[Stage, ...]:
    """Two stages with all kinds of arguments, streams and artifacts."""
    source = folder / "the user's $file"
    source.write_text("from the user\n")
    printed, tree, hidden = (
        Artifact("after", "printed"),
        Artifact("after", "tree", is_tree=True),
        Artifact("after", "private", is_tree=True),
    )
    result, fed = Artifact("after", "result", is_result=True), Artifact("after", "fed")
    secret = Artifact("after", "secret")
    inside = joined(tree, "/deep/er")
    return (
        Stage(
            "before",
            "one before",
            "0",
            (OTHER, Artifact("before", "x")),
            (run("echo", "1234567890").into(OTHER), run("touch", Artifact("before", "x"))),
        ),
        Stage(
            "after",
            "all that there is",
            Content(OTHER),
            (printed, tree, hidden, result, fed, secret),
            (
                run(
                    *ARGUMENTS,
                    Content(OTHER),
                    joined("--x=", Content(OTHER), " $"),
                    NASTY=NASTY,
                    HOME=scratch("home").name,
                ).into(printed),
                run("sh", "-c", SHOW, NASTY=NASTY).into(result),
                run("cat").fed(Text(HERE)).into(fed),
                run("cat").fed(Secret("the.secret", "a $ecret\n")).into(secret),
                run("mkdir", "--parents", inside, hidden, cache("in/cache")),
                run("cp", UserFile(source), inside),
                run("touch", "--date=@5", joined(inside, "/old")),
                run("touch", "--date=@1234567890.5", joined(inside, "/half")),
                run("ln", "--symbolic", "nowhere", joined(tree, "/link")),
                run("mknod", joined(tree, "/whiteout"), "c", "0", "0"),
                run(Program(("no-such-program", "cp")), OTHER, joined(tree, "/copied")),
            ),
        ),
    )


def state(path: Path) -> dict[str, object]:
    """Modes, times and content of a tree, or of a file without its time."""
    found: dict[str, object] = {}
    for one in (path, *sorted(path.rglob("*"))):
        status = one.lstat()
        content = one.read_bytes() if one.is_file() else b""
        found[str(one.relative_to(path))] = (
            status.st_mode,
            status.st_mtime_ns if path.is_dir() else 0,
            content,
        )
    return found


@pytest.fixture(params=["dash", "bash"])
def shell(request, tmp_path_factory, monkeypatch) -> None:
    """The sh of Debian, and that of openEuler."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "sh").symlink_to(f"/bin/{request.param}")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.fixture
def both(tmp_path: Path, shell: None) -> tuple[Path, Path]:
    """The output directories of the runner and of the scripts, beside the plan."""
    stages = example(tmp_path)
    layout = Layout(tmp_path / "runner", tmp_path / "cache")
    for stage in stages:
        perform(stage, layout)
    folder = written(tmp_path, stages)
    secrets = tmp_path / "out/secrets"
    secrets.mkdir(parents=True)
    (secrets / "the.secret").write_text("a $ecret\n")
    (secrets / "the.secret").chmod(0o600)
    done = build(folder, TAR_OPTIONS="--owner=nobody", LC_ALL="C", KBIMG_UNKNOWN="x")
    assert done.returncode == 0, done.stdout
    return layout.out, tmp_path / "out"


def build(folder: Path, **env: str) -> subprocess.CompletedProcess:
    """The scripts as a user runs them."""
    return subprocess.run(
        ["sh", folder / "build.sh"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=folder,
        umask=0o027,
        start_new_session=True,
        env={**os.environ, "KBIMG_OUT": str(folder.parent / "out"), **env},
    )


def test_a_shell_makes_what_the_runner_makes(both):
    runner, shell = both
    stages = runner / ".kbimg/stages/after", shell / "stages/after"
    for name in ("printed", "fed", "tree", "private", "secret"):
        expected, found = (state(folder / name) for folder in stages)
        assert found == expected, name
    assert (stages[1] / "printed").read_bytes().split(b"\0")[0].decode() == NASTY
    assert (stages[1] / "fed").read_text() == HERE
    assert state(shell / "result")["."][0] == state(runner / "result")["."][0]
    # What the scripts bring with them is in the plan; PATH is the caller's, and may name TOP.
    assert (shell / "result").read_text().splitlines() == [
        line if line.startswith("PATH=") else line.replace(str(TOP), str(shell.parent / "plan"))
        for line in (runner / "result").read_text().splitlines()
    ]
    assert (shell / "stages").stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in (shell / "stages").iterdir()) == ["after", "before"]


def test_times_are_those_of_the_clock(both):
    tree = both[1] / "stages/after/tree"
    times = {path.name: path.lstat().st_mtime for path in (tree, *tree.rglob("*"))}
    assert times.pop("old") == 5
    assert set(times.values()) == {1234567890}


def test_once_more_in_the_same_place(both):
    shell = both[1]
    before = state(shell / "stages/after/tree")
    (shell / "stages/after/tree/left-over").touch()
    done = build(shell.parent / "plan")
    assert done.returncode == 0, done.stdout
    assert state(shell / "stages/after/tree") == before


def one(*steps, **more) -> tuple[Stage, ...]:
    return (Stage("one", "a stage", "0", (), tuple(steps), **more),)


def test_a_step_that_fails_ends_the_build(tmp_path, shell):
    stages = (
        *one(run("sh", "-c", "exit 7"), run("touch", str(tmp_path / "later"))),
        Stage("two", "", "0", (), (run("touch", str(tmp_path / "later")),)),
    )
    done = build(written(tmp_path, stages))
    assert done.returncode == 1
    assert done.stdout.endswith("one: exit status 7 of: sh -c exit 7\n")
    assert not (tmp_path / "later").exists()


def test_what_is_kept_is_not_made_again(tmp_path):
    keys = Artifact("keys", "keys", is_tree=True, is_result=True, size=Size.SMALL)
    stages = (Stage("keys", "", "0", (keys,), (run("mkdir", keys),), protected=True),)
    folder = written(tmp_path, stages)
    for _ in range(2):
        assert build(folder).returncode == 0
        (tmp_path / "out/keys/by-hand").touch()
    assert [path.name for path in (tmp_path / "out/keys").iterdir()] == ["by-hand"]


def test_what_is_missing_is_told_before_anything_is_made(tmp_path, shell):
    stages = one(
        run("no-such-program", "x").fed(Secret("name", "x")), run(Program(("not-this", "not-that")))
    )
    folder = written(tmp_path, stages)
    done = build(folder)
    assert done.returncode == 1
    assert done.stdout == "missing programs: no-such-program, not-this or not-that\n"
    folder = written(tmp_path, one(run("cat").fed(Secret("name", "x"))))
    done = build(folder)
    assert done.stdout == (
        f"there is no {tmp_path}/out/secrets/name, and no terminal to ask for it at\n"
    )
    secret = tmp_path / "out/secrets/name"
    secret.parent.mkdir(parents=True)
    secret.write_text("x")
    done = build(folder)
    assert done.stdout == f"{secret} can be read by others: chmod 600 it\n"
    done = subprocess.run(
        ["sh", folder / "build.sh"], stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.stderr == ("KBIMG_OUT is not set: set it to the folder for the results\n")
    assert not (tmp_path / "out/stages").exists()


def test_a_stage_alone_names_what_it_lacks(tmp_path):
    stages = example(tmp_path)
    folder = written(tmp_path, stages)
    done = subprocess.run(
        ["sh", folder / "2-after.sh"],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "KBIMG_OUT": str(tmp_path / "out")},
    )
    assert done.stderr == (
        f"after: there is no {tmp_path}/out/stages/before/number; the stages "
        f"before make what is below {tmp_path}/out\n"
    )


def test_secrets_are_asked_for_once_and_not_shown(tmp_path, shell):
    told = Artifact("one", "told")
    asks = run("sh", "-c", "cat >> $0", joined(told)).fed(Secret("its.name", "unknown"))
    folder = written(tmp_path, (Stage("one", "", "0", (told,), (asks, asks)),))
    before = set(Path("/dev/shm").iterdir())
    child = pexpect.spawn(
        "sh",
        [str(folder / "build.sh")],
        encoding="utf-8",
        timeout=60,
        env={**os.environ, "KBIMG_OUT": str(tmp_path / "out")},
    )
    child.expect("its.name: ")
    child.sendline("typed by hand")
    rest = child.read()
    child.close()
    assert child.exitstatus == 0, rest
    assert "typed" not in rest
    made = tmp_path / "out/stages/one/told"
    assert made.read_text() == "typed by hand\n" * 2
    assert set(Path("/dev/shm").iterdir()) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_programs_end_with_the_script(number, tmp_path, shell):
    beat = tmp_path / "beat"
    folder = written(
        tmp_path, one(run("sh", "-c", "while :; do echo x >> $0; sleep 0.05; done", str(beat)))
    )
    with subprocess.Popen(
        ["sh", folder / "build.sh"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # These tests may themselves run where signals are ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        env={**os.environ, "KBIMG_OUT": str(tmp_path / "out")},
    ) as process:
        until(beat.exists)
        # Ctrl-C reaches all of a terminal's foreground, others the one process.
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        try:
            assert process.wait(20) != 0
        finally:
            process.kill()

    def is_still() -> bool:
        size = beat.stat().st_size
        time.sleep(0.3)
        return beat.stat().st_size == size

    until(is_still)


def until(holds) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_only_a_plan_is_replaced(tmp_path):
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan/of-the-user's").touch()
    with pytest.raises(UserError, match="is not a plan written by kbimg"):
        written(tmp_path, one())
    assert [path.name for path in tmp_path.iterdir()] == ["plan"]
    other = tmp_path / "other"
    written(other, (*one(), *one()))
    folder = written(other, one())
    assert [path.name for path in other.iterdir()] == ["plan"]
    assert not (folder / "2-one.sh").exists()
