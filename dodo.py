"""The stages of a KubeOS image, for doit: `doit vm_img config=kbimg.toml [out=DIR]`."""

from kbimg_tasks.host.lifetime import outlive_readers, tell_of_interrupts, tie_workers
from kbimg_tasks.tasks import commands, images
from kbimg_tasks.tasks.command import from_doit

tie_workers()
tell_of_interrupts()
outlive_readers()
command = from_doit()

DOIT_CONFIG = command.doit_config


def task_images():
    """One task for each kind of image."""
    yield from images.image_tasks(command)


def task_commands():
    """What makes no image."""
    yield from commands.tasks(command)


def task_stages():
    """One task for each stage, in build order."""
    yield from images.stage_tasks(command)
