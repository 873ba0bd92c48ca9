"""The stages of a KubeOS image, for doit: `doit vm_img config=kbimg.toml [out=DIR]`."""

from kbimg_tasks import commands
from kbimg_tasks.lifetime import outlive_readers, tell_of_interrupts, tie_workers
from kbimg_tasks.session import Session

tie_workers()
tell_of_interrupts()
outlive_readers()
session = Session.from_doit()

DOIT_CONFIG = session.doit_config


def task_images():
    """One task for each kind of image."""
    yield from session.image_tasks()


def task_commands():
    """What makes no image."""
    yield from commands.tasks(session)


def task_stages():
    """One task for each stage, in build order."""
    yield from session.stage_tasks()
