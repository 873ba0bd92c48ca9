"""The catalogue of image kinds: a new kind is a module here and an entry in this one."""

from __future__ import annotations

from kbimg_tasks.plan.kinds import admin_container, pxe_img, upgrade_img, vm_img
from kbimg_tasks.plan.kinds.kind import ImageKind

# In the order of lists. Always read through this dictionary, never copied at import: tests add
# kinds.
KINDS: dict[str, ImageKind] = {
    each.KIND.name: each.KIND for each in (vm_img, pxe_img, upgrade_img, admin_container)
}
DEFAULT_IMAGE = vm_img.KIND.name
