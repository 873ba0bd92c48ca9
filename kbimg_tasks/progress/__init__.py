"""What a build shows while it works, and when it has ended."""

from kbimg_tasks.progress.display import Display
from kbimg_tasks.progress.reporter import ASIDE, SILENT, reporter

__all__ = ["ASIDE", "SILENT", "Display", "reporter"]
