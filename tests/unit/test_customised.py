"""The order of the configuration's additions to the tree."""

from __future__ import annotations

from pathlib import Path

from building import write_config

from kbimg_tasks.config.load import load
from kbimg_tasks.plan.images import plan
from kbimg_tasks.steps.render import Symbolic, command_line

FILES = """
[[copy_files]]
src = "file"
dst = "/home/foo/key"
owner = "root:foo"

[[copy_files]]
src = "file"
dst = "/etc/skel/file"

[[copy_files]]
src = "file"
dst = "/home/foo/file"
owner = "foo"

[[copy_files]]
src = "file"
dst = "/etc/file"
owner = "root:wheel"

[[users]]
name = "foo"
passwd = "foo"
"""


def test_files_of_users_come_after_them_and_others_before(tmp_path: Path):
    (tmp_path / "file").write_text("content\n")
    stages = plan(load(write_config(tmp_path, more=FILES), tmp_path)).stages
    (stage,) = (stage for stage in stages if stage.name == "customised")
    words = [command_line(step, Symbolic(stage)).split() for step in stage.steps]
    made = ("useradd", "kbimg_tasks.tools.copy_into")
    assert [line[-1] for line in words if any(program in line for program in made)] == [
        "/etc/skel/file",
        "/etc/file",
        "foo",
        "/home/foo/key",
        "/home/foo/file",
    ]
