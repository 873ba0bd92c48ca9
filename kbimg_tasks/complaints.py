"""Which option of the configuration a program complains of, where its words tell that."""

from __future__ import annotations

import re
from typing import Iterator

from kbimg_tasks.config.errors import Problem
from kbimg_tasks.config.model import Config

# dnf(8) knows no package, group or file of that name.
_NO_SUCH_PACKAGE = re.compile(r"^\s*No match for argument: (\S+)$", re.MULTILINE)


def blamed(config: Config, stage: str, said: str) -> Iterator[Problem]:
    """The options that made a stage fail whose programs said this."""
    source = config.from_repo
    if stage != "packages" or source is None:
        return
    for name in dict.fromkeys(_NO_SUCH_PACKAGE.findall(said)):
        if name in source.rpmlist:
            yield config.problem(("from_repo", "rpmlist", source.rpmlist.index(name)),
                                 f"no repository of {source.repo_path.name} has {name}")
