"""Where this package is installed."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
# The folder that must be on PYTHONPATH for another Python to import the package.
PARENT = PACKAGE.parent
DATA = PACKAGE / "data"
TOOLS = PACKAGE / "tools"
