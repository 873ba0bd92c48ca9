"""A dnf plugin that writes down which packages dnf chose, for the stage that installs them.

dnf shows its choice only as a table for people. The plugin interface gives it exactly:
https://dnf.readthedocs.io/en/latest/api_plugins.html. The file named by KBIMG_RESOLVED gets one
package a line; KBIMG_DNF_CACHE is the cache folder's path outside the installroot, in which dnf
sees it at /var/cache/dnf.
"""

import os

import dnf


class KbimgResolved(dnf.Plugin):
    """Writes the packages of the transaction as soon as it is resolved."""

    name = "kbimg_resolved"

    def resolved(self):
        """Called by dnf between resolving and downloading."""
        inside = os.path.join(self.base.conf.installroot, "var/cache/dnf")
        outside = os.environ["KBIMG_DNF_CACHE"]
        with open(os.environ["KBIMG_RESOLVED"], "w", encoding="utf-8") as stream:
            for package in self.base.transaction.install_set:
                path = package.localPkg()
                if path.startswith(inside + os.sep):
                    path = outside + path[len(inside):]
                kind, checksum = package.returnIdSum() or ("none", "")
                stream.write("\t".join((
                    str(package), f"{kind}:{checksum}",
                    str(package.installsize), str(package.buildtime), path)) + "\n")
