"""The display of a build: its progress, and a summary at the end."""

from kbimg_tasks.progress.display import Display

__all__ = ["Display"]
