"""Which tests run in the same one of pytest-xdist's workers, one after the other."""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

# Parts of a test's id, and the group of the tests that have it; the first that is found counts.
# All other tests of a file are one group, for which its fixtures are made once.
GROUPS: tuple[tuple[str, str], ...] = ()


class Groups(LoadScopeScheduling):
    """Gives a worker that has nothing to do the next group, in the order of collection: minutes of
    images and machines first, seconds of unit tests last, so that workers end together.

    xdist's own groups, --dist loadgroup, mean nothing to pytest 9.2: xdist 3.8 writes them to
    Item._nodeid, which pytest does not read any more.
    """

    def _split_scope(self, nodeid: str) -> str:
        found = (group for part, group in GROUPS if re.search(part, nodeid))
        return next(found, nodeid.split("::")[0])
