"""A fifth image kind needs only its own value and an entry in the catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest
from building import write_config

from kbimg_tasks.cli import main
from kbimg_tasks.config.kind import Start
from kbimg_tasks.config.load import configured, load
from kbimg_tasks.config.model import SYSTEM_TABLES, Config
from kbimg_tasks.diagnostics.problem import ConfigError
from kbimg_tasks.plan.images import plan
from kbimg_tasks.plan.kinds import KINDS
from kbimg_tasks.plan.kinds.kind import ImageKind, ImagePlan
from kbimg_tasks.plan.root import Given
from kbimg_tasks.plan.system import System
from kbimg_tasks.session import catalogue, request
from kbimg_tasks.steps.args import Artifact
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import run
from kbimg_tasks.tasks import images
from kbimg_tasks.tasks.command import Command


def planned(_config: Config, _given: Given, system: System | None) -> ImagePlan | None:
    """The root file system's tar under another name."""
    if system is None:
        return None
    made = Artifact("live_copy", "live.tar", is_result=True)
    stage = Stage(
        "live_copy",
        "live.tar, the root file system to boot from memory",
        system.root.clock,
        (made,),
        steps=(run("cp", system.root.tar["kubeos.tar"], made),),
    )
    return ImagePlan((stage,), (stage,))


LIVE = ImageKind(
    name="live_img",
    summary="a system that runs in memory: live.tar",
    needs=(("from_repo",), ("grub",)),
    configured_by=(("grub",),),
    reads=frozenset(SYSTEM_TABLES),
    archive="live.tar",
    excludes={"dm_verity": "memory is not verified"},
    not_started="a live image is served by a provisioning server",
    plan=planned,
)


@pytest.fixture(autouse=True)
def live(monkeypatch: pytest.MonkeyPatch):
    """The catalogue with the fifth kind; cached plans of the old one are discarded."""
    catalogue.catalogue.cache_clear()
    monkeypatch.setitem(KINDS, LIVE.name, LIVE)
    yield
    monkeypatch.undo()
    catalogue.catalogue.cache_clear()


def grub(folder: Path) -> Path:
    return write_config(folder, more='[grub]\npasswd = "foo"\n')


def test_its_plan(tmp_path):
    made = plan(load(grub(tmp_path), tmp_path, (LIVE,)))
    assert [stage.name for stage in made.images["live_img"]][:1] == ["live_copy"]
    names = [stage.name for stage in made.in_order("live_img")]
    assert names.index("kubeos_tar") < names.index("live_copy")
    assert "sbom" in names, "what is in the root file system is described"
    assert "live_copy" not in {stage.name for stage in made.in_order("vm_img")}


def test_its_task(tmp_path):
    grub(tmp_path)
    command = Command.started(["live_img"], tmp_path)
    tasks = {task["basename"]: task for task in images.image_tasks(command)}
    assert tasks["live_img"]["doc"] == LIVE.summary
    assert "live_copy" in tasks["live_img"]["task_dep"]
    assert "live_copy" in {task["basename"] for task in images.stage_tasks(command)}


def test_a_stage_of_its_own_is_about_it():
    assert catalogue.images_of(["live_copy"]) == ("live_img",)
    assert catalogue.images_of(["image=live_img"]) == ("live_img",)


def test_its_word(capsys):
    given = main.parser().parse_args(["create", "-f", "kbimg.toml", "live-img"])
    assert main.images()[given.image] is LIVE
    assert "live_img" in request.KNOWN["image"].shown
    with pytest.raises(SystemExit):
        main.parser().parse_args(["create", "--help"])
    assert f"live-img         {LIVE.summary}" in capsys.readouterr().out


def test_it_is_not_booted(capsys):
    with pytest.raises(SystemExit):
        main.main(["boot", "live-img"])
    assert LIVE.not_started in capsys.readouterr().err


def test_what_is_missing_for_it(tmp_path):
    path = write_config(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load(path, tmp_path, (LIVE,))
    assert "live_img needs a table [grub]" in str(caught.value)
    (tmp_path / "none.toml").write_text('[grub]\npasswd = "foo"\n')
    with pytest.raises(ConfigError) as caught:
        load(Path("none.toml"), tmp_path, (LIVE,))
    assert str(caught.value) == "none.toml: live_img needs a table [from_repo]"


def test_what_it_excludes(tmp_path):
    verity = '[dm_verity]\nefi_key = "a"\ngrub_key = "b"\n'
    path = write_config(tmp_path, more=f'[grub]\npasswd = "foo"\n{verity}')
    assert "live_img" not in configured(path, tmp_path, KINDS.values())
    with pytest.raises(ConfigError, match="excludes live_img: memory is not verified"):
        load(path, tmp_path, (LIVE,))


def test_files_of_its_tables_must_exist(tmp_path):
    path = grub(tmp_path)
    path.write_text(path.read_text().replace("os-agent", "none"))
    with pytest.raises(ConfigError, match="found none"):
        load(path, tmp_path, (LIVE,))


def test_each_kind_is_started_or_says_why_not():
    for kind in KINDS.values():
        assert bool(kind.start) != bool(kind.not_started), kind.name
    assert KINDS["vm_img"].start == Start.DISK
