"""What a build shows while it works, and when it has ended."""

from kbimg_tasks.progress.display import Display

__all__ = ["Display"]
