"""Prints what differs between two images: as text, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from kbimg_tasks.diagnostics.figures import readable
from kbimg_tasks.dissect.changes import Changes, FileChange, PackageChange, ResultChange
from kbimg_tasks.dissect.contents import Contents, Entry

SHOWN = 40  # lines of each kind, without --all


def text(old: Contents, new: Contents, changes: Changes, shown: int | None = SHOWN) -> str:
    """The differences as text, with at most `shown` lines of each kind."""
    lines = [
        f"{name}  {readable(side.bytes)} in {len(side.entries)} files and directories  "
        f"{_safe(str(side.path))}"
        for name, side in (("old", old), ("new", new))
    ]
    if changes.are_none:
        lines.append(
            "equal"
            if changes.packages is not None
            else "equal; packages not compared: no image has a package list"
        )
        return "".join(f"{line}\n" for line in lines)
    lines += _packages(changes, shown)
    lines += _section("files", _file_lines(changes.files), shown, len(changes.files))
    if changes.texts:
        lines += ["", "configuration"]
        for one in changes.texts:
            lines += (
                [f"  {_safe(line)}" for line in one.lines]
                if one.lines
                else [f"  /{_safe(one.path)}: changed, not shown: {one.untold}"]
            )
    lines += _section(
        "largest growths",
        [f"{_grown(change.grown_bytes):>12}  /{_safe(change.path)}" for change in changes.growths],
        None,
    )
    lines += _section("results", [_result_line(change) for change in changes.results], None)
    return "".join(f"{line}\n" for line in lines)


def _packages(changes: Changes, shown: int | None) -> list[str]:
    if changes.packages is None:
        return ["", "packages: not compared, only one image or none has a package list"]
    return _section("packages", [_package_line(change) for change in changes.packages], shown)


def _section(title: str, lines: list[str], shown: int | None, count: int = 0) -> list[str]:
    """A heading with the number of lines, and the lines; nothing if there are none."""
    if not lines:
        return []
    cut = lines[:shown]
    rest = len(lines) - len(cut)
    return [
        "",
        f"{title}: {count or len(lines)}",
        *(f"  {line}" for line in cut),
        *([f"  {rest} more, shown by --all"] if rest else []),
    ]


def _package_line(change: PackageChange) -> str:
    versions = " -> ".join(", ".join(sorted(each)) for each in (change.old, change.new) if each)
    return (
        f"{_sign(change.old, change.new)} {_safe(change.name)} {_safe(versions)}  "
        f"{_grown(change.grown_bytes)}"
    )


def _file_lines(files: Iterable[FileChange]) -> list[str]:
    """A line for each change; an added or removed directory stands for its content."""
    below: dict[str, list[FileChange]] = {}
    tops: dict[str, str] = {}
    for change in files:
        if change.old is None or change.new is None:
            top = tops.get(change.path.rpartition("/")[0], change.path)
            if change.path:  # a tar can lack an entry for its top directory
                tops[change.path] = top
        else:
            top = change.path
        below.setdefault(top, []).append(change)
    return [_file_line(first, rest) for first, *rest in below.values()]


def _file_line(change: FileChange, below: list[FileChange]) -> str:
    line = f"{_sign(change.old, change.new)} /{_safe(change.path)}"
    if change.old is None or change.new is None:
        one = change.old or change.new
        assert one is not None
        if one.kind == "file":
            return f"{line}  {readable(one.bytes)}"
        held = readable(sum(abs(each.grown_bytes) for each in below))
        return f"{line}  {one.kind}{f', {len(below)} below it, {held}' if below else ''}"
    return f"{line}  {', '.join(_how(what, change.old, change.new) for what in change.what)}"


def _how(what: str, old: Entry, new: Entry) -> str:
    if what == "content":
        grown = new.bytes - old.bytes
        return f"content {_grown(grown)}" if grown else what
    if what == "attributes":
        names = sorted({name for name, _ in {*old.attributes} ^ {*new.attributes}})
        return f"attributes {_safe(' '.join(names))}"
    values = [
        f"{entry.mode:04o}" if what == "mode" else _safe(getattr(entry, what))
        for entry in (old, new)
    ]
    return f"{what} {values[0]} -> {values[1]}"


def _result_line(change: ResultChange) -> str:
    sizes = [readable(size) for size in (change.old, change.new) if size is not None]
    sizes = [f"content, {sizes[0]}"] if len(set(sizes)) < len(sizes) else sizes
    sign = _sign(change.old is not None, change.new is not None)
    return f"{sign} {_safe(change.name)}  {' -> '.join(sizes)}"


def _sign(old: object, new: object) -> str:
    return "*" if old and new else "-" if old else "+"


def _grown(count: int) -> str:
    return f"{'+' if count >= 0 else '-'}{readable(abs(count))}"


def _safe(words: str) -> str:
    """Text from an image without terminal control sequences."""
    return "".join(
        one
        if one.isprintable() or one == "\t"
        else one.encode("unicode_escape", "surrogatepass").decode("ascii")
        for one in words
    )


def as_json(old: Contents, new: Contents, changes: Changes) -> str:
    """All differences as one JSON object."""
    value = {
        "equal": changes.are_none,
        "old": _side(old),
        "new": _side(new),
        "packages": None
        if changes.packages is None
        else [{"name": one.name, "old": one.old, "new": one.new} for one in changes.packages],
        "files": [_file(change) for change in changes.files],
        "configuration": [
            {
                "path": f"/{one.path}",
                **({"diff": list(one.lines)} if one.lines else {"untold": one.untold}),
            }
            for one in changes.texts
        ],
        "growths": [
            {"path": f"/{change.path}", "bytes": change.grown_bytes} for change in changes.growths
        ],
        "results": [
            {"name": one.name, "old_bytes": one.old, "new_bytes": one.new}
            for one in changes.results
        ],
    }
    return json.dumps(value, indent=1) + "\n"


def _side(contents: Contents) -> dict[str, Any]:
    return {"path": str(contents.path), "bytes": contents.bytes, "entries": len(contents.entries)}


def _file(change: FileChange) -> dict[str, Any]:
    return {
        "path": f"/{change.path}",
        "changed": list(change.what),
        "old": _entry(change.old),
        "new": _entry(change.new),
    }


def _entry(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    found: dict[str, Any] = {"kind": entry.kind, "mode": f"{entry.mode:04o}", "owner": entry.owner}
    if entry.kind == "file":
        found.update(bytes=entry.bytes, sha256=entry.sha256)
    if entry.target:
        found["target"] = entry.target
    if entry.attributes:
        found["attributes"] = [name for name, _ in entry.attributes]
    return found
