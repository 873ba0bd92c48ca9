"""What the documentation tells its readers to write and to type, read off its pages.

A fenced block's first word says what it is, and the rest is the file it is written to:

    sh                 commands of root's on the host, each of which succeeds
    console            the same with what they print, behind the prompt `# `
    sh node            what is typed on the started node; console node, likewise
    LANGUAGE FILE      a file that the reader writes; LANGUAGE >>FILE, what is added to its end

Blocks without a file that are of no such language are shown only.
"""

from __future__ import annotations

import re
from pathlib import Path

from attrs import field, frozen
from building import TOP
from markdown_it import MarkdownIt

PROMPT = "# "
ANYTHING = "..."
NODE = "node"
# Tokens after which no paragraph stands directly above a block.
NO_LEAD = ("heading_close", "code_block", "html_block", "hr")


@frozen
class Command:
    """A command of a transcript with its output."""

    text: str
    expected: tuple[str, ...]

    def agrees(self, printed: str) -> bool:
        """Whether the output is as expected; three dots match anything."""
        pattern = ""
        for line in self.expected:
            if line.strip() == ANYTHING:
                pattern += r"(?:.*\n)*?"
            else:
                pattern += ".*".join(map(re.escape, line.split(ANYTHING))) + r"\n"
        lines = [line.rstrip() for line in printed.strip("\n").splitlines()]
        return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None


@frozen
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    title: str
    text: str = field(repr=False)
    # The paragraph that stands directly above it, if one does.
    lead: str = field(default="", repr=False)

    @property
    def is_typed(self) -> bool:
        """Whether it has commands to type."""
        return self.language == "console" or (self.language == "sh" and self.title in ("", NODE))

    @property
    def is_of_the_node(self) -> bool:
        """Whether the commands are for the node."""
        return self.is_typed and self.title == NODE

    @property
    def is_file(self) -> bool:
        """Whether it is the content of a file."""
        return bool(self.title) and not self.is_typed

    @property
    def names_its_file(self) -> bool:
        """Whether the rendered page, which hides a block's first line, names the file and says if
        text is appended."""
        return f"`{self.title.lstrip('>')}`" in self.lead and (
            not self.title.startswith(">>") or "Add to the end" in self.lead
        )

    @property
    def commands(self) -> tuple[Command, ...]:
        """The commands with their expected output; a command that ends in a backslash continues on
        the next line."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.rstrip("\n").splitlines():
            if found and found[-1][0].endswith("\\") and not found[-1][1]:
                found[-1] = (f"{found[-1][0]}\n{line}", [])
            elif self.language == "sh":
                found.append((line, []))
            elif line.startswith(PROMPT):
                found.append((line[len(PROMPT) :], []))
            else:
                assert found, f"{self}: a transcript begins with the prompt {PROMPT!r}"
                found[-1][1].append(line.rstrip())
        return tuple(Command(text, tuple(expected)) for text, expected in found)

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> tuple[Block, ...]:
    """The fenced blocks of a page, in order."""
    name = str(page.relative_to(TOP))
    found, lead = [], ""
    for token in MarkdownIt("commonmark").parse(page.read_text()):
        if token.type == "inline":
            lead = " ".join(token.content.split())
        elif token.type in NO_LEAD:
            lead = ""
        elif token.type == "fence" and token.map:
            language, _, title = token.info.partition(" ")
            found.append(
                Block(name, token.map[0] + 1, language, title.strip(), token.content, lead)
            )
            lead = ""
    return tuple(found)


def spans(page: Path) -> tuple[str, ...]:
    """The inline code of a page."""
    parser = MarkdownIt("commonmark").enable("table")
    return tuple(
        child.content.replace("\n", " ")
        for token in parser.parse(page.read_text())
        for child in token.children or ()
        if child.type == "code_inline"
    )
