"""The step that fails if a root tree is larger than its partition."""

from __future__ import annotations

from kbimg_tasks.steps.sandbox import Sandbox
from kbimg_tasks.steps.step import Step, tool


def measured(tree: Sandbox, root_mib: int) -> Step:
    """Check that the tree fits into a root partition of this size."""
    step = tree.wrap(tool("measure_tree", tree.root, f"--root-mib={root_mib}"))
    return step.doing("disk_partition", "root")
