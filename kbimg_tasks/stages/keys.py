"""The keys of verified images: made once in a protected stage, and checked before each use."""

from __future__ import annotations

import time
from pathlib import Path

from kbimg_tasks.steps.args import (
    Arg,
    Artifact,
    Content,
    Secret,
    Size,
    UserFile,
    data,
    joined,
    own_program,
    scratch,
)
from kbimg_tasks.steps.blame import Blame
from kbimg_tasks.steps.sandbox import in_memory
from kbimg_tasks.steps.stage import Stage
from kbimg_tasks.steps.step import Step, run, tool
from kbimg_tasks.tools.trust_names import CERTIFICATE, DATABASE, DER, KEY, NICKNAME

KEPT, CHECKED = "keys", "signing_keys"
NOT_AFTER = "not-after"
OPENPGP_NAME = "gpgKey4kubeos"
SUBJECT = "/CN=KubeOS Secure Boot"
RSA_BITS = "4096"
DAYS_A_YEAR = 365.25
# Of the error message of tools/efi_key and tools/openpgp for a key that does not open.
WRONG_PASSPHRASE = "expected the passphrase of .*"
TABLE = "dm_verity"
SECRET_FILE = "@SECRET@"  # a mark of tools/give_secret


def kept(efi: Secret, grub: Secret, years: int) -> Stage:
    """New keys, in a folder of the output directory that only root can read. Clean does not delete
    it."""
    keys = Artifact(KEPT, "keys", is_tree=True, is_result=True, size=Size.SMALL)
    key, certificate, der, database = (
        joined(keys, f"/{name}") for name in (KEY, CERTIFICATE, DER, DATABASE)
    )
    container, end = scratch("key.p12"), scratch("end")
    phrase = f"file:{SECRET_FILE}"
    return Stage(
        KEPT,
        "the keys that nodes trust, made only once",
        "0",
        (keys,),
        steps=(
            run("mkdir", "--mode=700", keys),
            given(
                efi,
                "openssl",
                "genpkey",
                "-quiet",
                "-algorithm",
                "RSA",
                "-pkeyopt",
                f"rsa_keygen_bits:{RSA_BITS}",
                "-aes-256-cbc",
                "-pass",
                phrase,
                "-out",
                key,
            ),
            given(
                efi,
                "openssl",
                "req",
                "-new",
                "-x509",
                "-sha256",
                "-key",
                key,
                "-passin",
                phrase,
                "-subj",
                SUBJECT,
                "-days",
                str(round(years * DAYS_A_YEAR)),
                "-addext",
                "keyUsage=critical,digitalSignature",
                "-addext",
                "extendedKeyUsage=codeSigning",
                "-out",
                certificate,
            ),
            run("openssl", "x509", "-in", certificate, "-outform", "DER", "-out", der),
            run("openssl", "x509", "-in", certificate, "-noout", "-enddate").into(end),
            given(
                efi,
                "openssl",
                "pkcs12",
                "-export",
                "-inkey",
                key,
                "-in",
                certificate,
                "-name",
                NICKNAME,
                "-passin",
                phrase,
                "-passout",
                phrase,
                "-out",
                container,
            ),
            run("mkdir", "--mode=700", database),
            given(efi, "certutil", "-N", "-d", database, "-f", SECRET_FILE),
            given(
                efi,
                "pk12util",
                "-i",
                container,
                "-d",
                database,
                "-k",
                SECRET_FILE,
                "-w",
                SECRET_FILE,
            ),
            in_memory(tool("openpgp", "generate", keys, f"--name={OPENPGP_NAME}"))
            .fed(grub)
            .using("gpg"),
            run("chmod", "--recursive", "go=", keys),
            tool(
                "fill",
                data("verity/keys-README.md"),
                joined(keys, "/README.md"),
                joined("END=", Content(end)),
            ),
        ),
        protected=True,
    )


def checked(keys: Artifact | UserFile, efi: Secret, grub: Secret) -> Stage:
    """The checked keys in one layout, whatever the layout of the source: rsa4BIOS.key, .crt and
    .der, gpg.key and gpg.sec; secret keys are encrypted with their passphrases."""
    own = Artifact(CHECKED, "keys", is_tree=True)
    end = Artifact(CHECKED, NOT_AFTER)
    return Stage(
        CHECKED,
        "check that the passphrases open the keys and that the keys are valid",
        "0",
        (own, end),
        steps=(
            run("mkdir", "--mode=700", own),
            in_memory(tool("efi_key", keys, own, joined("--not-after=", end)))
            .fed(efi)
            .using("openssl", "certutil", "pk12util")
            .blaming(Blame((TABLE, "efi_key"), WRONG_PASSPHRASE)),
            in_memory(tool("openpgp", "take", keys, own))
            .fed(grub)
            .using("gpg")
            .blaming(Blame((TABLE, "grub_key"), WRONG_PASSPHRASE)),
        ),
    )


def have_ended(folder: Path) -> bool:
    """Whether the certificate in the stage's folder has expired since it was checked."""
    return int((folder / NOT_AFTER).read_text(encoding="ascii")) <= time.time()


def given(secret: Secret, *argv: Arg) -> Step:
    """A step whose program reads a secret from a file, whose path replaces SECRET_FILE."""
    return run(*argv).behind(own_program("give_secret")).fed(secret)
