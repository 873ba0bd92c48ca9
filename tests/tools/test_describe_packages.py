"""The package list and the SBOM of real packages."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import sboms
from rpms import BUILD_TIME, make_rpm

from kbimg_tasks.stages.contents import HEADERS
from kbimg_tasks.tools.describe_packages import NAMESPACE

TOOL = "kbimg_tasks.tools.describe_packages"


def describe(
    folder: Path, rpms: list[Path], sums: list[str], clock: int = BUILD_TIME, name: str = "KubeOS"
) -> tuple[str, str]:
    """The list and the SBOM of these RPM files, with these checksums in the lock."""
    folder.mkdir(exist_ok=True)
    (folder / "packages.list").write_text("".join(f"{rpm}\n" for rpm in rpms))
    nevras = subprocess.run(
        ["rpm", "-qp", "--nosignature", "--qf", "%{NEVRA}\n", *rpms],
        check=True,
        text=True,
        capture_output=True,
    ).stdout.split()
    (folder / "packages.lock").write_text(
        "".join(f"{nevra}\t{one}\t0\t{BUILD_TIME}\n" for nevra, one in zip(nevras, sums))
    )
    with open(folder / "headers", "wb") as headers:
        subprocess.run(
            [
                "rpm",
                "--query",
                "--nosignature",
                "--queryformat",
                HEADERS,
                "--package",
                folder / "packages.list",
            ],
            check=True,
            stdout=headers,
        )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            TOOL,
            folder / "headers",
            f"--lock={folder}/packages.lock",
            f"--files={folder}/packages.list",
            f"--clock={clock}",
            "--kind=operating-system",
            f"--name={name}",
            "--version=v1",
            f"--list={folder}/list",
            f"--sbom={folder}/sbom",
        ],
        check=False,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    return (folder / "list").read_text(), (folder / "sbom").read_text()


@pytest.fixture(scope="module")
def rpms(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("rpms")
    return [
        make_rpm(
            folder,
            "two",
            "2.0~rc1",
            "3.oe2403",
            epoch=4,
            vendor="http://openeuler.org",
            licence="GPL-2.0-or-later AND (MIT OR own words)",
            files={"/etc/two": "two\n"},
        ),
        make_rpm(folder, "one", files={"/etc/one": "one\n"}),
    ]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_list(rpms, tmp_path):
    listed, _ = describe(tmp_path, rpms, ["none:", "none:"])
    assert listed == (
        "# name\tepoch:version-release\tarchitecture\tsource rpm\tbytes installed\n"
        "one\t0:1.0-1\tnoarch\tone-1.0-1.src.rpm\t4\n"
        "two\t4:2.0~rc1-3.oe2403\tnoarch\ttwo-2.0~rc1-3.oe2403.src.rpm\t4\n"
    )


def test_sbom(rpms, tmp_path):
    _, text = describe(tmp_path, rpms, ["sha256:" + "ab" * 32, "sha1:" + "cd" * 20])
    assert sboms.flaws(text) is None
    document = json.loads(text)
    assert document["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
    image = document["metadata"]["component"]
    assert (image["type"], image["name"], image["version"]) == ("operating-system", "KubeOS", "v1")
    one, two = document["components"]
    assert one["purl"] == "pkg:rpm/one@1.0-1?arch=noarch&upstream=one-1.0-1.src.rpm"
    assert two["purl"] == (
        "pkg:rpm/openeuler/two@2.0~rc1-3.oe2403?arch=noarch&epoch=4"
        "&upstream=two-2.0~rc1-3.oe2403.src.rpm"
    )
    assert (two["version"], two["supplier"]) == (
        "4:2.0~rc1-3.oe2403",
        {"name": "http://openeuler.org"},
    )
    assert "supplier" not in one
    # The one that dnf has compared, and the one that only the file tells.
    assert two["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert one["hashes"] == [{"alg": "SHA-256", "content": sha256(rpms[1])}]
    assert one["licenses"] == [{"license": {"acknowledgement": "declared", "id": "MIT"}}]
    assert two["licenses"] == [
        {
            "license": {
                "acknowledgement": "declared",
                "name": "GPL-2.0-or-later AND (MIT OR own words)",
            }
        }
    ]
    assert {"ref": "image", "dependsOn": sorted(each["bom-ref"] for each in (one, two))} in (
        document["dependencies"]
    )


def test_a_validator_that_finds_something(rpms, tmp_path):
    """The validation above can fail."""
    _, text = describe(tmp_path, rpms, ["none:", "none:"])
    wrong = text.replace("operating-system", "operating system")
    assert sboms.flaws(wrong) is not None


def test_same_bytes_from_elsewhere_and_in_another_order(rpms, tmp_path):
    first = describe(tmp_path / "a", rpms, ["none:", "none:"])
    moved = [Path(tmp_path / rpm.name) for rpm in rpms]
    for rpm, there in zip(rpms, moved):
        there.write_bytes(rpm.read_bytes())
    assert describe(tmp_path / "b", moved[::-1], ["none:", "none:"]) == first


def test_the_serial_number_is_of_the_content(rpms, tmp_path):
    texts = [
        describe(tmp_path / "a", rpms, ["none:", "none:"])[1],
        describe(tmp_path / "b", rpms, ["none:", "none:"], clock=BUILD_TIME + 1)[1],
        describe(tmp_path / "c", rpms, ["none:", "none:"], name="other")[1],
        describe(tmp_path / "d", rpms[:1], ["none:"])[1],
    ]
    numbers = {json.loads(text)["serialNumber"] for text in texts}
    assert len(numbers) == 4
    assert all(number.startswith("urn:uuid:") for number in numbers)
    assert not any(str(NAMESPACE) in number for number in numbers)


def test_a_lock_of_other_packages(rpms, tmp_path):
    describe(tmp_path, rpms, ["none:", "none:"])
    (tmp_path / "packages.lock").write_text("other-1-1.noarch\tnone:\t0\t0\n")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            TOOL,
            tmp_path / "headers",
            f"--lock={tmp_path}/packages.lock",
            f"--files={tmp_path}/packages.list",
            "--clock=0",
            "--kind=container",
            "--name=x",
            f"--list={tmp_path}/l",
            f"--sbom={tmp_path}/s",
        ],
        check=False,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "describe_packages: two-4:2.0~rc1-3.oe2403.noarch is installed but not in "
        f"{tmp_path}/packages.lock\n"
    )
