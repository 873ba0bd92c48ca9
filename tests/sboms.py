"""Validates an SBOM by CycloneDX's schema."""

from __future__ import annotations


def flaws(text: str) -> object:
    """The error, or None if the SBOM is valid."""
    # The validator takes seconds to import: only for who validates.
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
