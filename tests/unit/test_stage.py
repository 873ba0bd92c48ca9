"""What is derived from a stage's steps."""

from __future__ import annotations

from pathlib import Path

from kbimg_tasks.build import fingerprint
from kbimg_tasks.machine.architecture import X86_64
from kbimg_tasks.steps.args import (
    Artifact,
    Content,
    Program,
    Secret,
    Size,
    Text,
    Unhashed,
    UserFile,
    cache,
    data,
    joined,
    own_program,
    scratch,
)
from kbimg_tasks.steps.layout import Layout
from kbimg_tasks.steps.programs import at_work, machines, programs
from kbimg_tasks.steps.render import Actual, Symbolic, command_line
from kbimg_tasks.steps.sandbox import Sandbox, nosync
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import run, tool

KEY = b"k"
OTHER = Artifact("other", "made")
OWN = Artifact("one", "out")


def identity(artifact: Artifact) -> str:
    return f"identity of {artifact.name}"


def stage(*steps, **more) -> Stage:
    return Stage("one", "a stage", "7", (OWN,), tuple(steps), **more)


def test_needs_are_the_artifacts_of_others_wherever_they_stand():
    third = Artifact("third", "kver")
    one = stage(
        run("a", joined("--x=", OTHER), OWN, Content(third)),
        run("b", E=Artifact("env", "e")).fed(Artifact("in", "i")),
    )
    assert [artifact.stage for artifact in one.needs()] == ["other", "third", "env", "in"]


def test_the_clock_is_a_need():
    one = Stage("one", "", Content(OTHER), (OWN,), (run("a", OWN),))
    assert one.needs() == (OTHER,)


def test_fingerprint_ignores_where_things_lie(tmp_path: Path):
    first, second = tmp_path / "a/src", tmp_path / "b/src"
    for path in (first, second):
        path.parent.mkdir()
        path.write_text("same\n")
    prints = {
        fingerprint.of(stage(run("cp", UserFile(path), OWN)), identity, KEY)
        for path in (first, second)
    }
    assert len(prints) == 1


def test_fingerprint_sees_content_mode_and_owner_but_no_times(tmp_path: Path):
    import os

    path = tmp_path / "src"
    path.write_text("one\n")
    one = stage(run("cp", UserFile(path), OWN))

    def now() -> str:
        return fingerprint.of(one, identity, KEY)

    seen = [now()]
    os.utime(path, (1, 1))
    assert now() == seen[0]
    path.write_text("two\n")
    seen.append(now())
    path.chmod(0o755)
    seen.append(now())
    os.chown(path, 1, 1)
    seen.append(now())
    assert len(set(seen)) == 4


def test_fingerprint_of_a_directory(tmp_path: Path):
    (tmp_path / "d/sub").mkdir(parents=True)
    (tmp_path / "d/sub/f").write_text("x")
    seen = [fingerprint.tree(tmp_path / "d")]
    (tmp_path / "d/sub/f").rename(tmp_path / "d/sub/g")
    seen.append(fingerprint.tree(tmp_path / "d"))
    (tmp_path / "d/l").symlink_to("sub")
    seen.append(fingerprint.tree(tmp_path / "d"))
    (tmp_path / "d/l").unlink()
    (tmp_path / "d/l").symlink_to("sub/g")
    seen.append(fingerprint.tree(tmp_path / "d"))
    assert len(set(seen)) == 4


def test_what_python_compiles_beside_our_data_does_not_count(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(fingerprint, "DATA", tmp_path)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/one.py").write_text("x = 1\n")
    reading = stage(run("cat", data("plugins")))

    def now() -> str:
        return fingerprint.of(reading, identity, KEY)

    before = now()
    (tmp_path / "plugins/__pycache__").mkdir()
    (tmp_path / "plugins/__pycache__/one.cpython-312.pyc").write_text("compiled")
    assert now() == before
    (tmp_path / "plugins/one.py").write_text("x = 2\n")
    assert now() != before


def test_fingerprint_of_a_large_file_is_not_read(tmp_path: Path):
    path = tmp_path / "large"
    with path.open("wb") as stream:
        stream.truncate(100 << 30)  # would take minutes
    seen = [fingerprint.tree(path), fingerprint.tree(path)]
    assert len(set(seen)) == 1
    with path.open("r+b") as stream:
        stream.write(b"x")
    seen.append(fingerprint.tree(path))
    path.chmod(0o600)
    seen.append(fingerprint.tree(path))
    assert len(set(seen)) == 3


def test_fingerprint_of_arguments_environment_and_needs():
    prints = [
        fingerprint.of(one, identity, KEY)
        for one in (
            stage(run("a", OWN)),
            stage(run("a", "b", OWN)),
            stage(run("a", OWN, E="1")),
            stage(run("a", OWN).fed(Text("t"))),
            stage(run("a", OWN).fed(Text("u"))),
            stage(run("a", OWN, OTHER)),
        )
    ]
    prints.append(fingerprint.of(stage(run("a", OWN, OTHER)), lambda _: "new", KEY))
    assert len(set(prints)) == len(prints)


def test_secrets_count_by_a_key_and_are_never_shown():
    def with_secret(text: str) -> Stage:
        return stage(run("a", OWN).fed(Secret("name", text)))

    one = fingerprint.of(with_secret("hunter2"), identity, KEY)
    assert one != fingerprint.of(with_secret("hunter3"), identity, KEY)
    assert one != fingerprint.of(with_secret("hunter2"), identity, b"other")
    assert "hunter2" not in repr(with_secret("hunter2"))
    shown = command_line(with_secret("hunter2").steps[0], Symbolic(with_secret("hunter2")))
    assert shown == 'a $WORK/out < "$KBIMG_SECRETS/name"'.replace("$WORK/out", "'$WORK/out'")


def test_code_counts_without_comments_and_docstrings(tmp_path: Path):
    def digest(text: str) -> str:
        path = tmp_path / f"t{abs(hash(text))}.py"
        path.write_text(text)
        return fingerprint.code(path)

    assert digest('"""a"""\nx = 1  # c\n') == digest('"""b"""\n# d\nx = 1\n')
    assert digest("x = 1\n") != digest("x = 2\n")


def test_code_counts_with_the_modules_of_ours_that_it_imports(tmp_path: Path):
    package = tmp_path / "ours"
    (package / "tools").mkdir(parents=True)
    (package / "demo").mkdir()
    files = {
        "__init__.py": "",
        "tools/__init__.py": "",
        "demo/__init__.py": "a = 1\n",
        "tools/verb.py": "import os\nfrom ours.one import x\nfrom ours import demo\n",
        "one.py": "from . import two\n",
        "two.py": "y = 1\nimport ours.one\n",
        "three.py": "z = 1\n",
    }
    for name, text in files.items():
        (package / name).write_text(text)

    def now() -> str:
        fingerprint.code.cache_clear()
        return fingerprint.code(package / "tools/verb.py")

    seen = [now()]
    (package / "three.py").write_text("z = 2\n")
    (package / "two.py").write_text("y = 1  # a comment\nimport ours.one\n")
    assert now() == seen[0]
    for name in ("one.py", "two.py", "demo/__init__.py"):
        (package / name).write_text(files[name] + "other = 1\n")
        seen.append(now())
    assert len(set(seen)) == 4


def test_paths(tmp_path: Path):
    layout = Layout(tmp_path / "out", tmp_path / "cache")
    one = stage(run("a", OWN, OTHER, scratch("s"), cache("c"), joined("-x", OTHER, ":y")))
    text = Actual(one, layout).text
    words = [text(arg) for arg in one.steps[0].argv]
    private = f"{tmp_path}/out/.kbimg"
    assert words == [
        "a",
        f"{private}/partial/one/out",
        f"{private}/stages/other/made",
        f"{private}/partial/one/s",
        f"{tmp_path}/cache/c",
        f"-x{private}/stages/other/made:y",
    ]


def test_programs_of_the_host_and_not_of_the_tree():
    root = scratch("root")
    tree = Sandbox(root=root, layers=(OTHER,))
    one = stage(
        tree.wrap(run("mke2fs", OWN)),
        tree.running_in(X86_64).wrap(run("useradd", "x")),
        tool("fill", OWN),
        tree.wrap(tool("fill_fat", OWN).using("mcopy")),
        tree.wrap(run(Program(("dnf", "yum")))).behind("flock", "--no-fork", cache("c")),
        run("qemu-img", "--", OWN),
    )
    names = {one.names for one in programs([one])}
    assert names == {
        ("setpriv",),
        ("sh",),
        ("unshare",),
        ("mke2fs",),
        ("mcopy",),
        ("dnf", "yum"),
        ("flock",),
        ("qemu-img",),
    }


def test_wrappers_are_flattened_last_the_outermost_first():
    tree = Sandbox(root="/r", machine="aarch64")
    step = nosync(tree.wrap(run("useradd", "x"))).behind("flock", "lock")
    assert step.argv == ("useradd", "x")
    assert command_line(step, Symbolic(stage(step))) == (
        "flock lock python3 -m kbimg_tasks.tools.nosync -- python3 -m kbimg_tasks.tools.sandboxed"
        " --root=/r --machine=aarch64 -- useradd x"
    )
    assert at_work(step) == "useradd"
    # What only reads like it is no sandbox.
    assert machines([stage(step, run("x", "--machine=riscv64"))]) == {"aarch64"}


def test_the_code_of_a_tool_counts_wherever_it_is_run(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(fingerprint, "TOOLS", tmp_path)
    monkeypatch.setattr(fingerprint, "code", lambda path: path.read_text())
    for step in (tool("fill", OWN), run("a").behind(own_program("fill"))):
        seen = set()
        for text in ("one", "two"):
            (tmp_path / "fill.py").write_text(text)
            seen.add(fingerprint.of(stage(step), identity, KEY))
        assert len(seen) == 2


def test_the_size_says_what_an_artifact_counts_by(tmp_path: Path):
    path, folder = tmp_path / "file", tmp_path / "tree"
    folder.mkdir()
    seen: dict[Size, set[str]] = {size: set() for size in Size}
    for text in ("one", "two"):
        path.write_text(text)
        (folder / "file").write_text(text)
        for size in Size:
            seen[size] |= {fingerprint.of_artifact(each, size, "x") for each in (path, folder)}
    assert {size: len(found) for size, found in seen.items()} == {
        Size.SMALL: 4,
        Size.LARGE: 2,
        Size.ROOT: 2,
    }
    assert Artifact("a", "b", is_tree=True).size is Size.LARGE
    assert Artifact("a", "b").size is Size.SMALL


def test_how_a_thing_is_done_does_not_count():
    ways = [("docker", "save", "a"), ("ctr", "images", "export", "-", "b"), ("ctr",)]
    seen = {
        command_line(run(*map(Unhashed, way), OWN).into(OWN), Symbolic(stage())) for way in ways
    }
    assert len(seen) == 1
    assert programs([stage(run(*map(Unhashed, ways[0])))]) > {Program(("docker",))}
