"""The steps that sign files for what starts a verified image: firmware, shim and GRUB."""

from __future__ import annotations

from attrs import frozen

from kbimg_tasks.steps.sandbox import in_memory
from kbimg_tasks.steps.stage import Arg, Artifact, OneOf, Secret, Step, joined, tool

SIGNERS = OneOf(("sbsign", "pesign"))
VERIFIERS = OneOf(("sbverify", "pesigcheck"))
SUFFIX = ".sig"  # where GRUB looks for a file's signature


@frozen
class Keys:
    """A folder with keys that were found good, and the passphrases of the two that are secret."""

    folder: Artifact
    efi: Secret
    grub: Secret

    def secure_boot(self, clock: Arg, *programs: tuple[Arg, Arg]) -> Step:
        """Sign UEFI programs: pairs of what is there and what is made."""
        pairs = (joined(program, "=", signed) for program, signed in programs)
        return (
            in_memory(tool("sign_efi", self.folder, joined("--clock=", clock), *pairs))
            .fed(self.efi)
            .using("openssl", SIGNERS)
        )

    def openpgp(self, clock: Arg, *files: tuple[Arg, Arg]) -> Step:
        """Sign files for GRUB: pairs of what is there and its signature."""
        pairs = (joined(path, "=", signature) for path, signature in files)
        return (
            in_memory(tool("openpgp", "sign", self.folder, joined("--clock=", clock), *pairs))
            .fed(self.grub)
            .using("gpg")
        )


def verify(public: Artifact, programs: tuple[Arg, ...], files: tuple[Arg, ...]) -> Step:
    """Print what is signed as it must be, or fail. Each of `files` has its signature beside it."""
    return tool("check_signatures", public, str(len(programs)), *programs, *files).using(
        "gpgv", VERIFIERS
    )
