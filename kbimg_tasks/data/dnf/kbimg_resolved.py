"""A dnf plugin that writes down which packages dnf chose, for the stage that installs them.

dnf shows its choice only as a table for people. The plugin interface gives it exactly:
https://dnf.readthedocs.io/en/latest/api_plugins.html. The file named by KBIMG_RESOLVED gets one
package a line; KBIMG_DNF_CACHE is the cache folder's path, which dnf may see below the installroot.
KBIMG_INDEXES gets a line for each repository that is not on this machine: its ID, the address of
its index, and the SHA-256 checksum of the index. Of the names in KBIMG_FIRST_OF the first that a
repository has is installed too. KBIMG_NEEDED has lines `PURPOSE: NAME...` of packages that the user
did not ask for: the error about one that no repository has gives its purpose.
"""

import hashlib
import os

import dnf


def _lines(name):
    return os.environ.get(name, "").splitlines()


class KbimgResolved(dnf.Plugin):
    """Writes the packages of the transaction as soon as it is resolved."""

    name = "kbimg_resolved"

    def sack(self):
        """Called by dnf when it knows what there is, before it takes up its arguments."""
        lacking = [line for line in map(self._lacking, _lines("KBIMG_NEEDED")) if line]
        if lacking:
            raise dnf.exceptions.Error("; ".join(lacking))
        for name in os.environ.get("KBIMG_FIRST_OF", "").split():
            if self._has(name):
                self.base.install(name)
                return

    def _lacking(self, line):
        purpose, _, names = line.partition(": ")
        missing = [name for name in names.split() if not self._has(name)]
        return f"no repository has what {purpose} needs: {', '.join(missing)}" if missing else ""

    def _has(self, name):
        return bool(self.base.sack.query().available().filter(provides=name))

    def resolved(self):
        """Called by dnf between resolving and downloading."""
        self._write_indexes()
        inside = self.base.conf.installroot.rstrip("/") + os.environ["KBIMG_DNF_CACHE"]
        outside = os.environ["KBIMG_DNF_CACHE"]
        with open(os.environ["KBIMG_RESOLVED"], "w", encoding="utf-8") as stream:
            for package in self.base.transaction.install_set:
                path = package.localPkg()
                if path.startswith(inside + os.sep):
                    path = outside + path[len(inside) :]
                kind, checksum = package.returnIdSum() or ("none", "")
                stream.write(
                    "\t".join(
                        (
                            str(package),
                            f"{kind}:{checksum}",
                            str(package.installsize),
                            str(package.buildtime),
                            path,
                        )
                    )
                    + "\n"
                )

    def _write_indexes(self):
        with open(os.environ["KBIMG_INDEXES"], "w", encoding="utf-8") as stream:
            for repo in self.base.repos.iter_enabled():
                url = repo.remote_location("repodata/repomd.xml")
                if not url or url.startswith("file:"):
                    continue
                index = os.path.join(os.path.dirname(repo.pkgdir), "repodata/repomd.xml")
                with open(index, "rb") as content:
                    digest = hashlib.sha256(content.read()).hexdigest()
                stream.write(f"{repo.id}\t{url}\t{digest}\n")
