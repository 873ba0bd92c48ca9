#!/bin/sh
# dracut calls a mount hook again and again until the root file system is there.

kubeos_mount_root() {
    [ ! -e /run/kubeos-verity.failed ] || return
    if ! kubeos-verity "${NEWROOT:?}" "$(getarg dmvroothash=)"; then
        : >/run/kubeos-verity.failed
        if getargbool 0 rd.shell; then
            emergency_shell -n kubeos-verity "exit this shell to stop the machine"
        fi
        die "kubeos-verity failed; see its messages above"
    fi
}

kubeos_mount_root
