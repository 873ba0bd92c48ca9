#!/bin/sh
# There is no root file system yet, whatever the kernel's command line says: see mount-root.sh.
# dracut reads these two.
# shellcheck disable=SC2034
root=kubeos-install
# shellcheck disable=SC2034
rootok=1
