"""Which option of the configuration a stage failed of, where that can be told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kbimg_tasks.config.model import Config
from kbimg_tasks.config.quoting import Option
from kbimg_tasks.diagnostics.problem import Problem

# dnf(8) knows no package, group or file of that name.
_NO_SUCH_PACKAGE = re.compile(r"^No match for argument: (\S+)$", re.MULTILINE)


def blamed(config: Config, stage: str, option: Option, last: Sequence[str]) -> Iterator[Problem]:
    """The options to blame for a failed stage: the one that asked for its failed step, or what the
    last lines of the step's program name."""
    if option:
        yield config.problem(option, next(filter(None, reversed(last)), f"{stage} failed"))
    source = config.from_repo
    if stage != "packages" or source is None:
        return
    for name in dict.fromkeys(_NO_SUCH_PACKAGE.findall("\n".join(last))):
        if name in source.rpmlist:
            yield config.problem(
                ("from_repo", "rpmlist", source.rpmlist.index(name)),
                f"no repository of {source.repo_path.name} has {name}",
            )
