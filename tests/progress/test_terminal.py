"""A build on a terminal, checked in the middle and at the end."""

from __future__ import annotations

import io
import re

import pyte

from kbimg_tasks.progress import terminal as view
from kbimg_tasks.progress.running import Running

RUNNING = ("2 of 5 items", "2 of 4 MiB")


def rows(terminal, *stages: str) -> list:
    """The rows of running stages on the screen: they alone begin with blanks and a stage's name."""
    return sorted(row for row in terminal.shown if row.split()[:1] and row.split()[0] in stages)


def figures(row: str) -> list:
    return re.findall(r"\d+\.\d s|\d+(?:\.\d)? [KM]iB", row)


def test_the_middle_and_the_end(project, terminal):
    build = terminal()
    build.wait_for(*RUNNING, "a line of its own")
    counted, written = rows(build, "counted", "written")
    assert re.fullmatch(r" {8}counted +\d+ s  ━{6}[╸╺]━{9}  2 of 5 items", counted), counted
    assert re.fullmatch(r" {8}written +\d+ s  ━{8}[╸╺]?━{7,8}  2 of 4 MiB", written), written
    assert sorted(build.shown[-2:]) == [counted, written]
    assert any(
        row.startswith("made    base")
        and figures(row)
        and row.endswith("4.0 MiB  what others are made of")
        for row in build.shown
    )
    assert "a line of its own" in build.shown
    # Nothing is drawn that has not changed: the seconds of two stages, in this time.
    assert 1 <= build.read(1.2).count(b"counted") <= 4
    (project / "go").touch()
    assert build.end() == 0
    text = "\n".join(build.shown)
    for stage in ("base", "counted", "written", "final"):
        (line,) = [row for row in build.shown if row.startswith(f"made    {stage} ")]
        assert len(figures(line)) == 2, line
    table = text[text.index("      stage ") :].splitlines()
    assert {row.split()[0] for row in table[1:5]} == {"base", "counted", "written", "final"}
    times = [float(figures(row)[0].split()[0]) for row in table[1:5]]
    assert times == sorted(times, reverse=True)
    assert table[1].endswith("━" * 16)
    assert re.search(rb"\x1b\[32mmade\x1b\[0m    final", build.raw)
    assert f"{project}/out/final" in text.replace("\n", "")
    assert re.fullmatch(
        r"4 made, 1 done in \d+\.\d s; output directory .*",
        next(row for row in build.shown if "output directory" in row),
    )
    assert "of 5 items" not in text
    assert not build.screen.cursor.hidden
    assert b"\x1b[?25l" not in build.raw


def test_forty_columns_without_colours(project, terminal):
    build = terminal(40, NO_COLOR="1")
    build.wait_for(*RUNNING)
    assert sorted(row.split()[0] for row in build.shown[-2:]) == ["counted", "written"]
    assert build.shown[0].startswith(("made    base", "cached"))
    (project / "go").touch()
    assert build.end() == 0
    for stage in ("base", "counted", "written", "final"):
        (line,) = [row for row in build.shown if row.startswith(f"made    {stage} ")]
        assert len(figures(line)) == 2, line
    assert "of 5 items" not in "\n".join(build.shown)
    assert not re.search(rb"\x1b\[[0-9;]*3[0-9]", build.raw)  # no colours either


class Stream(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_comes_with_the_rows_of_its_time():
    stream, screen = Stream(newline="\r\n"), pyte.Screen(80, 24)
    one, other = Running("one", 0.0, program="cp"), Running("other", 0.0, program="tar")
    shown = view.Terminal(stream, {"TERM": "xterm"})
    shown.draw([one, other], 1.0)
    shown.write("made    one", [other], 2.0)
    pyte.Stream(screen).feed(stream.getvalue())
    first, second, *rest = [row.split() for row in screen.display]
    assert (first, second) == (["made", "one"], ["other", "2", "s", "tar"])
    assert not any(rest)
    shown.write("made    other", [], 2.1)
    pyte.Stream(screen).feed(stream.getvalue())
    shown.close(2.2)
    assert stream.getvalue().count("tar") == 2


def test_a_window_that_changes_its_size(project, terminal):
    build = terminal(100)
    build.wait_for(*RUNNING)
    before = build.shown[:-2]
    build.resize(50, 24)
    build.read(0.7)
    assert sorted(row.split()[0] for row in build.shown[-2:]) == ["counted", "written"]
    assert "2 of 5 items" in rows(build, "counted")[0]
    assert [row[:50].rstrip() for row in before] == build.shown[: len(before)]
    build.resize(90, 24)
    build.read(0.7)
    assert re.search("━{8}.*  2 of 4 MiB", rows(build, "written")[0])
    (project / "go").touch()
    assert build.end() == 0
    assert "of 5 items" not in "\n".join(build.shown)


def test_a_failure_is_shown_whole(project, terminal):
    (project / "count.sh").write_text(
        "echo item 1; for i in 1 2 3; do echo a long line of a complaint, number $i, which is "
        "wider than the terminal by some words; done; exit 3"
    )
    build = terminal(60)
    build.wait_for("FAILED  counted", "written ")
    (project / "go").touch()
    assert build.end() == 1
    text = "".join(row.ljust(60) for row in build.shown)
    assert "counted: command failed with exit status 3; last output:" in text
    for number in (1, 2, 3):
        assert (
            f"a long line of a complaint, number {number}, which is wider than the terminal "
            "by some words"
        ) in text
    assert f"full log: {project}/out/.kbimg/logs/counted.log" in text
    assert re.search("2 made,( 1 done,)? FAILED: counted in .* s; output directory", text)
    assert not build.screen.cursor.hidden


def test_an_interrupt(terminal):
    build = terminal(50)
    build.wait_for(*RUNNING)
    build.process.sendintr()
    assert build.end() != 0
    stopped = [row for row in build.shown if row.startswith("stopped")]
    assert sorted(row.split()[1] for row in stopped) == ["counted", "written"]
    assert rows(build, "counted", "written") == []
    assert build.shown[-1] == "interrupted; finished stages are kept"
    assert any(row.startswith("made    base") for row in build.shown)
    assert "stopped: " in "".join(build.shown) and "out/final" not in "".join(build.shown)
    assert not build.screen.cursor.hidden and build.screen.cursor.x == 0
    assert "Traceback" not in "\n".join(build.shown)


def test_an_error_of_ours_leaves_the_terminal_whole(project, terminal):
    path = project / "dodo.py"
    path.write_text(
        path.read_text().replace(
            'lambda: display.say("a line of its own")',
            "lambda: (__import__('time').sleep(0.6), {}['missing'])",
        )
    )
    (project / "go").touch()
    build = terminal()
    assert build.end() != 0
    text = "\n".join(build.shown)
    assert "FAILED  remark" in text and "KeyError: 'missing'" in text
    assert not build.screen.cursor.hidden and build.screen.cursor.x == 0


def test_all_that_programs_print(project, terminal):
    (project / "count.sh").write_text(
        'cat > /dev/null; for i in $(seq 300); do echo "number $i"; done; '
        "printf 'one\\rother\\n\\033[2J\\033[Hred \\033[31mletters\\033[0m\\n'; "
        "echo item 1; echo item 2 of 5; WAIT; echo whole > $1"
    )
    build = terminal(80, 24, "--verbosity", "2")
    build.wait_for("counted | item 2", "2 of 5 items")
    assert sorted(row.split()[0] for row in build.shown[-2:]) == ["counted", "written"]
    (project / "go").touch()
    assert build.end() == 0
    told = [row for row in build.everything if row.startswith("counted | ")]
    assert [row for row in told if "number" in row and "$" not in row] == [
        f"counted | number {number}" for number in range(1, 301)
    ]
    assert "counted | other" in told and "counted | one" not in told
    assert "counted | red letters" in told
    assert any(row.startswith("written | $ sh -c") for row in build.everything)
    assert "hidden words" not in "\n".join(build.everything)
    assert "$KBIMG_SECRETS/password" in "".join(row.ljust(80) for row in build.everything)


def test_nothing_changed_after_a_build_on_a_terminal_that_cannot_be_redrawn(project, terminal):
    (project / "go").touch()
    first = terminal(TERM="dumb")
    assert first.end() == 0
    assert b"\x1b" not in first.raw
    assert sum(row.startswith("made  ") for row in first.shown) == 4
    again = terminal(80, 24, "final")
    assert again.end() == 0
    assert again.shown[0].startswith("cached  base, ")
    assert sorted(again.shown[0][8:].split(", ")) == ["base", "counted", "final", "written"]
    assert re.fullmatch(r"4 cached in \d+\.\d s; output directory .*", again.shown[1])
    assert "rich" not in (project / "loaded").read_text().split()
