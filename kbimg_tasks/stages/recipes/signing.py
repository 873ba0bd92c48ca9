"""The steps that sign files for the firmware, shim and GRUB of a verified image."""

from __future__ import annotations

from attrs import frozen

from kbimg_tasks.steps.args import Arg, Artifact, Program, Secret, joined
from kbimg_tasks.steps.sandbox import in_memory
from kbimg_tasks.steps.step import Step, tool

SIGNERS = Program(("sbsign", "pesign"))
VERIFIERS = Program(("sbverify", "pesigcheck"))


@frozen
class Keys:
    """A folder with checked keys, and the passphrases of the two secret keys."""

    folder: Artifact
    efi: Secret
    grub: Secret

    def secure_boot(self, clock: Arg, *programs: tuple[Arg, Arg]) -> Step:
        """Sign UEFI programs, given as pairs of program and signed program."""
        pairs = (joined(program, "=", signed) for program, signed in programs)
        return (
            in_memory(tool("sign_efi", self.folder, joined("--clock=", clock), *pairs))
            .fed(self.efi)
            .using("openssl", SIGNERS)
        )

    def openpgp(self, clock: Arg, *files: tuple[Arg, Arg]) -> Step:
        """Sign files for GRUB, given as pairs of file and signature."""
        pairs = (joined(path, "=", signature) for path, signature in files)
        return (
            in_memory(tool("openpgp", "sign", self.folder, joined("--clock=", clock), *pairs))
            .fed(self.grub)
            .using("gpg")
        )


def verify(public: Artifact, programs: tuple[Arg, ...], files: tuple[Arg, ...]) -> Step:
    """Verify the signatures and print the signed files, or fail. The signature of each of `files`
    is next to it."""
    return tool("check_signatures", public, str(len(programs)), *programs, *files).using(
        "gpgv", VERIFIERS
    )
