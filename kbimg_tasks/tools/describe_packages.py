"""List the packages of an image: as a table for people, as an SBOM for programs.

Usage: describe_packages HEADERS --lock FILE --files FILE --clock SECONDS
                         --kind KIND --name NAME [--version VERSION] --list FILE --sbom FILE

HEADERS is what rpm says of each package, in the format that `FIELDS` names. `--lock` and `--files`
are the lock and the list of RPM files that `lock_packages` wrote. `--list` gets one package a line,
separated by tabs. `--sbom` gets CycloneDX 1.6 as JSON (https://cyclonedx.org/docs/1.6/json/) about
an image of that KIND (a CycloneDX component type), NAME and VERSION. The same packages and clock
give the same bytes: nothing depends on this host or the current time.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import uuid
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kbimg_tasks.tools import checksum, lock_format

if TYPE_CHECKING:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

# The fields of a line of HEADERS, separated by tabs, by their names in rpm's query format.
FIELDS = (
    "NAME",
    "EPOCHNUM",
    "VERSION",
    "RELEASE",
    "ARCH",
    "LONGSIZE",
    "SOURCERPM",
    "VENDOR",
    "LICENSE",
    "SUMMARY",
)
ABSENT = "(none)"  # what rpm prints for a tag that a package does not have
HEADING = "# name\tepoch:version-release\tarchitecture\tsource rpm\tbytes installed\n"
# A vendor's name in a purl, by its name in the header:
# https://github.com/package-url/purl-spec/blob/main/types/rpm-definition.json
VENDORS = {"openeuler": "openeuler"}
NAMESPACE = uuid.UUID("0dd61328-9408-5af0-81b2-1e5e2ed033c3")
SHA256 = "sha256"


class InstalledPackage(NamedTuple):
    """The header of a package, with the SHA-256 checksum of its file."""

    name: str
    epoch: str
    version: str
    release: str
    architecture: str
    size: str
    source: str
    vendor: str
    licence: str
    summary: str
    sha256: str = ""

    @property
    def evr(self) -> str:
        """Epoch, if any, version and release."""
        epoch = "" if self.epoch == "0" else f"{self.epoch}:"
        return f"{epoch}{self.version}-{self.release}"

    @property
    def nevra(self) -> str:
        """Name, version and architecture, as dnf prints them."""
        return f"{self.name}-{self.evr}.{self.architecture}"

    @property
    def line(self) -> str:
        """The package's line of the list."""
        return (
            "\t".join(
                (
                    self.name,
                    f"{self.epoch}:{self.version}-{self.release}",
                    self.architecture,
                    self.source,
                    self.size,
                )
            )
            + "\n"
        )


def packages(headers: Path, lock: Path, files: Path) -> list[InstalledPackage]:
    """The packages by name, each with the checksum of its file. Raises KeyError for one without a
    line in the lock, and OSError."""
    sums = _sums(lock, files)
    found = []
    for line in headers.read_text(encoding="utf-8").rstrip("\n").split("\n"):
        fields = line.split("\t", len(FIELDS) - 1)
        package = InstalledPackage(*("" if field == ABSENT else field for field in fields))
        found.append(package._replace(sha256=sums[package.nevra]))
    return sorted(found)


def _sums(lock: Path, files: Path) -> dict[str, str]:
    """SHA-256 checksums by NEVRA: from the repository's index, which dnf has compared with the
    file. A file without a repository, or from one with other checksums, is read."""
    paths = files.read_text(encoding="utf-8").splitlines()
    return {
        re.sub(r"-0:", "-", package.nevra): package.digits
        if package.algorithm == SHA256
        else checksum.of_file(path)
        for package, path in zip(lock_format.read(lock), paths)
    }


def sbom(found: Sequence[InstalledPackage], kind: str, name: str, version: str, clock: int) -> str:
    """The packages as CycloneDX."""
    # Late: the library takes a tenth of a second.
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
    from cyclonedx.model.tool import ToolRepository
    from cyclonedx.spdx import is_supported_id

    licences = {package.licence for package in found}
    known = {licence for licence in licences if is_supported_id(licence)}
    image = Component(type=ComponentType(kind), name=name, version=version or None, bom_ref="image")
    components = [_component(package, known) for package in found]
    made = Bom(
        components=components,
        metadata=BomMetaData(
            component=image,
            timestamp=datetime.fromtimestamp(clock, timezone.utc),
            lifecycles=[PredefinedLifecycle(LifecyclePhase.BUILD)],
            tools=ToolRepository(
                components=[
                    Component(type=ComponentType.APPLICATION, name="kbimg", bom_ref="kbimg")
                ]
            ),
        ),
    )
    made.register_dependency(image, components)
    made.serial_number = NAMESPACE
    # The serial number is derived from the rest of the document.
    made.serial_number = uuid.uuid5(NAMESPACE, _text(made))
    return _text(made)


def _text(document: Bom) -> str:
    from cyclonedx.output.json import JsonV1Dot6

    # Sorted here, so that another version of the library cannot order it otherwise.
    values: Any = json.loads(JsonV1Dot6(document).output_as_string())
    return json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _component(package: InstalledPackage, known: set[str]) -> Component:
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.contact import OrganizationalEntity
    from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement

    # The text as rpm has it; only a single SPDX identifier is known to be valid.
    is_known = package.licence in known
    licences = [
        DisjunctiveLicense(
            id=package.licence if is_known else None,
            name=None if is_known else package.licence,
            acknowledgement=LicenseAcknowledgement.DECLARED,
        )
    ]
    purl = _purl(package)
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        bom_ref=purl.to_string(),
        purl=purl,
        version=package.evr,
        description=package.summary or None,
        supplier=OrganizationalEntity(name=package.vendor) if package.vendor else None,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=package.sha256)],
        licenses=licences if package.licence else None,
    )


def _purl(package: InstalledPackage) -> PackageURL:
    from packageurl import PackageURL

    vendor = next((VENDORS[one] for one in VENDORS if one in package.vendor.lower()), None)
    qualifiers = {"arch": package.architecture}
    if package.epoch != "0":
        qualifiers["epoch"] = package.epoch
    if package.source:
        qualifiers["upstream"] = package.source
    return PackageURL(
        "rpm", vendor, package.name, f"{package.version}-{package.release}", qualifiers
    )


def main() -> int:
    """Read three files, write two."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("headers", type=Path)
    for name in ("lock", "files", "list", "sbom"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--clock", type=int, required=True)
    parser.add_argument("--kind", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", default="")
    options = parser.parse_args()
    try:
        found = packages(options.headers, options.lock, options.files)
    except KeyError as error:
        print(
            f"describe_packages: {error.args[0]} is installed but not in {options.lock}",
            file=sys.stderr,
        )
        return 1
    options.list.write_text(HEADING + "".join(package.line for package in found), encoding="utf-8")
    options.sbom.write_text(
        sbom(found, options.kind, options.name, options.version, options.clock), encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
