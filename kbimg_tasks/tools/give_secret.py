"""Run a program that reads a secret from a file, without writing the secret to a disk.

Usage: give_secret COMMAND... < SECRET

Each `@SECRET@` in the command is replaced by the path of a file in memory with the content of
standard input.
"""

from __future__ import annotations

import os
import sys

from kbimg_tasks.tools import in_memory

MARK = "@SECRET@"


def main(*command: str) -> None:
    """Become the program."""
    secret = sys.stdin.buffer.read()
    words = []
    for word in command:
        while MARK in word:
            word = word.replace(MARK, in_memory.file(secret), 1)
        words.append(word)
    os.execvp(words[0], words)


if __name__ == "__main__":
    main(*sys.argv[1:])
