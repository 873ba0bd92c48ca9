"""Run a program that reads a secret from a file, without the secret ever being on a disk.

Usage: give_secret COMMAND...

The secret comes on standard input. Each `@SECRET@` in the command becomes the path of a file in
memory (memfd_create(2)) that holds it; each has one of its own, since some programs read the second
secret from where they stopped in the first. Only this process and those it starts can open them.
"""

from __future__ import annotations

import os
import sys

MARK = "@SECRET@"


def main(*command: str) -> None:
    """Become the program."""
    secret = sys.stdin.buffer.read()
    words = []
    for word in command:
        while MARK in word:
            word = word.replace(MARK, _in_memory(secret), 1)
        words.append(word)
    os.execvp(words[0], words)


def _in_memory(secret: bytes) -> str:
    place = os.memfd_create("secret", 0)  # without MFD_CLOEXEC: the program is to have it
    os.write(place, secret)
    return f"/proc/self/fd/{place}"


if __name__ == "__main__":
    main(*sys.argv[1:])
