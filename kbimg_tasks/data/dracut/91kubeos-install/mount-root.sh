#!/bin/sh
# Installs, once, and mounts what was installed. dracut calls a mount hook again and again until the
# root file system is there.

kubeos_mount_root() {
    [ ! -e /run/kubeos-install.failed ] || return
    if ! kubeos-install "${NEWROOT:?}"; then
        : >/run/kubeos-install.failed
        # Offers a shell where rd.shell allows one.
        die "kubeos-install failed; its lines stand above, the log is /run/kubeos-install.log"
    fi
}

kubeos_mount_root
