"""Whether an SBOM is one by CycloneDX's own schema."""

from __future__ import annotations


def flaws(text: str) -> object:
    """What is wrong with it; None when nothing is."""
    # The validator takes seconds to import: only for who validates.
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
