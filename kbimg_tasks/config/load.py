"""Reads kbimg.toml. Every mistake in it is found in one go."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any, Callable, Collection, Dict, Iterable, List, Optional, Tuple, Union

import attrs
import tomli

from kbimg_tasks.config import checks, locate, repo_file
from kbimg_tasks.config.errors import ConfigError, Problem
from kbimg_tasks.config.model import ARRAYS, TABLES, Config
from kbimg_tasks.config.rules import Secret, Several, Wrong

LARGEST_BYTES = 1 << 20
SHOWN_CHARACTERS = 60
SECRET_KEYS = ("root_passwd", "passwd", "efi_key", "grub_key")

Option = Tuple[Union[str, int], ...]


def load(path: Path, started_in: Path, images: Collection[str] = ()) -> Config:
    """The configuration in `path`, with everything that `images` need checked.

    Relative paths, `path` among them, are taken from `started_in`, then from the configuration's
    own directory. Files that options name must exist only for the images that read them. Raises
    ConfigError with all mistakes.
    """
    full = started_in / path
    document = _Document(str(path), full, started_in, _read(str(path), full), set(images))
    return document.config()


def _read(shown: str, path: Path) -> str:
    def refuse(message: str, line: int = 0) -> ConfigError:
        return ConfigError([Problem(shown, line, "", message)])

    try:
        if path.is_dir():
            raise refuse("expected a configuration file, found a directory")
        content = path.read_bytes()
    except FileNotFoundError:
        raise refuse("no such configuration file; name one with config=FILE") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise refuse(f"cannot be read: {reason}") from None
    if len(content) > LARGEST_BYTES:
        raise refuse(f"expected a configuration, found a file of {len(content)} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise refuse("expected UTF-8, as TOML demands, found the byte "
                     f"0x{content[error.start]:02x}", line) from None


class _Document:
    """One file being turned into a Config."""

    def __init__(self, shown: str, path: Path, started_in: Path, text: str,
                 images: Collection[str]) -> None:  # fmt: skip
        self.shown, self.path, self.started_in, self.images = shown, path, started_in, images
        self.problems: List[Problem] = []
        self.values = self._parse(text)
        self.lines = locate.lines(text)

    def _parse(self, text: str) -> Dict[str, Any]:
        if text.startswith("\ufeff"):
            raise ConfigError([Problem(self.shown, 1, "", "expected TOML, found a byte order mark "
                                                          "before it; save as UTF-8 without BOM")])
        try:
            return tomli.loads(text)
        except tomli.TOMLDecodeError as error:
            line = getattr(error, "lineno", None) or text.count("\n") + 1
            message = getattr(error, "msg", None) or str(error)
            raise ConfigError([Problem(self.shown, line, "", f"not TOML: {message}")]) from None
        except (RecursionError, ValueError) as error:
            # Nested without end, or a number with too many digits for Python.
            raise ConfigError([Problem(self.shown, 0, "", f"not usable TOML: {error}")]) from None

    def config(self) -> Config:
        """The configuration, or ConfigError."""
        parts: Dict[str, Any] = {}
        for name, value in self.values.items():
            if name in TABLES:
                parts[name] = self._table(TABLES[name], value, (name,))
            elif name in ARRAYS:
                parts[name] = self._array(ARRAYS[name], value, name)
            else:
                self._unknown((name,), [*TABLES, *ARRAYS])
        present = {name: part for name, part in parts.items() if part is not None}
        for option, message in checks.all_problems(present, self.values, self.images):
            self._add(option, message)
        self._repositories(present)
        if self.problems:
            raise ConfigError(self.problems)
        return Config(self.path, where=self.where, **present)

    def where(self, option: str) -> str:
        """`kbimg.toml:12` for an option such as `users[0].name`."""
        words = option.replace("]", "").replace("[", ".").split(".")
        return f"{self.shown}:{self._line(tuple(int(w) if w.isdigit() else w for w in words))}"

    def _line(self, option: Option) -> int:
        while option and option not in self.lines:
            option = option[:-1]
        return self.lines.get(option, 1)

    def _add(self, option: Option, message: str) -> None:
        text = ""
        for part in option:
            if isinstance(part, int):
                text += f"[{part}]"
            else:
                text += ("." if text else "") + (part if part.isprintable() else shown(part))
        self.problems.append(Problem(self.shown, self._line(option), text, message))

    def _unknown(self, option: Option, known: Iterable[str]) -> None:
        near = difflib.get_close_matches(str(option[-1]), list(known), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        kind = "option" if len(option) > 1 else "table"
        self._add(option, f"no such {kind}{hint}")

    def _array(self, kind: type, value: Any, name: str) -> Optional[Tuple[Any, ...]]:
        if not isinstance(value, list):
            self._add((name,), f"expected tables headed [[{name}]], found {shown(value)}")
            return None
        tables = [self._table(kind, table, (name, index)) for index, table in enumerate(value)]
        return tuple(table for table in tables if table is not None)

    def _table(self, kind: type, value: Any, at: Option) -> Any:
        """The table as an object of its class, or None when something in it is wrong."""
        if not isinstance(value, dict):
            heading = f"one table headed [{at[0]}]"
            self._add(at, f"expected {heading}, found {shown(value)}")
            return None
        before = len(self.problems)
        given: Dict[str, Any] = {}
        known: List[str] = []
        for attribute in attrs.fields(kind):
            meta = attribute.metadata
            names = (meta["key"] or attribute.name, *meta["also"])
            known += names
            used = [name for name in names if name in value]
            if len(used) > 1:
                self._add((*at, used[1]), f"given twice, as {' and as '.join(used)}")
            elif used:
                self._option(attribute, value[used[0]], (*at, used[0]), given)
            elif attribute.default is attrs.NOTHING:
                self._add(at, f"the option {names[0]} is missing")
        for name in value:
            if name not in known:
                self._unknown((*at, name), known)
        return kind(**given) if len(self.problems) == before else None

    def _option(self, attribute: Any, value: Any, at: Option, given: Dict[str, Any]) -> None:
        meta = attribute.metadata
        try:
            read = meta["rule"](value)
        except Wrong as wrong:
            self._add(at, f"expected {wrong.expected}, found {found(at, value)}")
        except Several as several:
            for each in several.wrongs:
                self._add((*at, *each.index),
                          f"expected {each.expected}, found {found(at, each.found)}")
        else:
            given[attribute.name] = self._file(meta, read, at) if meta["file"] else read
            if at[-1] == "rpmlist":
                given[attribute.name] = self._rpm_files(read, at)

    def _file(self, meta: Any, name: str, at: Option) -> Path:
        """The path that is there, or the first that was tried."""
        tried = self._candidates(name)
        is_there: Dict[str, Callable[[Path], bool]] = {
            "file": Path.is_file, "directory": Path.is_dir, "any": Path.exists}
        for path in tried:
            if is_there[meta["file"]](path):
                return path
        if set(meta["for_images"]) & set(self.images):
            what = {"any": "file or directory"}.get(meta["file"], meta["file"])
            places = " and ".join(map(str, tried))
            self._add(at, f'expected a {what}, found none for "{name}"; looked at {places}')
        return tried[0]

    def _candidates(self, name: str) -> List[Path]:
        places = (self.started_in / name, self.path.parent / name)
        return list(dict.fromkeys(Path(os.path.abspath(place)) for place in places))

    def _rpm_files(self, names: Tuple[str, ...], at: Option) -> Tuple[str, ...]:
        """RPM files of the user's, by their full paths; all else as it stands."""
        full = []
        for index, name in enumerate(names):
            is_file = name.endswith(".rpm") and "/" in name and "://" not in name
            meta = {"file": "file", "for_images": ("vm_img", "pxe_img", "upgrade_img")}
            full.append(str(self._file(meta, name, (*at, index))) if is_file else name)
        return tuple(full)

    def _repositories(self, present: Dict[str, Any]) -> None:
        from_repo = present.get("from_repo")
        if from_repo is None or not self.images or not from_repo.repo_path.is_file():
            return
        try:
            repo_file.repositories(from_repo.repo_path)
        except ConfigError as error:
            self.problems += error.problems


def shown(value: Any) -> str:
    """A value as a message shows it."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = f'"{value}"' if isinstance(value, str) else str(value)
    text = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


def found(option: Option, value: Any) -> str:
    """The same, but a secret is told by its kind and length only."""
    if option[-1] in SECRET_KEYS and isinstance(value, (str, Secret)):
        return f"text of {len(str(value))} characters" if value else "empty text"
    return shown(value)
