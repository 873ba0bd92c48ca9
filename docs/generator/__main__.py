"""Writes every file of this repository that is made from the code:

    python -m docs.generator

After a change of the configuration's model, of commands, words or stages; a test says when.
"""

from __future__ import annotations

from docs.generator.pages import pages

for path, text in pages().items():
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"wrote {path}")
