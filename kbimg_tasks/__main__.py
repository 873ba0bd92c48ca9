"""doit with the tasks of kbimg, from any directory and without a dodo.py.

`python -m kbimg_tasks vm_img config=kbimg.toml` is what `doit vm_img config=kbimg.toml` is beside
dodo.py.
"""

from __future__ import annotations

import sys

from kbimg_tasks.tasks.loader import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
