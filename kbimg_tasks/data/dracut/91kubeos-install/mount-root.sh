#!/bin/sh
# Installs, once, and mounts what was installed. dracut calls a mount hook again and again until the
# root file system is there.

kubeos_mount_root() {
    [ ! -e /run/kubeos-install.failed ] || return
    if ! kubeos-install "${NEWROOT:?}"; then
        : >/run/kubeos-install.failed
        # Whoever stands before a machine gets a shell only where one was asked for; dracut's own
        # rule gives one unless it is forbidden.
        if getargbool 0 rd.shell; then
            emergency_shell -n kubeos-install "exit this shell to stop the machine"
        fi
        die "kubeos-install failed; see its messages above"
    fi
}

kubeos_mount_root
