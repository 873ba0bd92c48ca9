#!/bin/sh
# The machine-id is needed before systemd starts from the real root, and the root is the same on
# every node. It is made at the first boot, kept where the /etc overlay will show it, and put over
# the root's empty file for the time before that overlay is mounted (kubeos-machine-id.service ends
# it): machine-id(5).

kubeos_machine_id() {
    persist=/run/kubeos-persist
    kept=$persist/etc/machine-id

    udevadm settle --timeout=30
    mkdir -p "$persist"
    if ! mount -t ext4 /dev/disk/by-label/PERSIST "$persist"; then
        warn "kubeos: no partition labelled PERSIST: this boot gets a machine-id of its own"
        return
    fi
    if [ ! -s "$kept" ]; then
        mkdir -p "$persist/etc"
        tr -d - < /proc/sys/kernel/random/uuid > "$kept.new"
        sync
        mv "$kept.new" "$kept"
    fi
    cat "$kept" > /run/machine-id
    umount "$persist"
    mount --bind /run/machine-id "${NEWROOT:?}/etc/machine-id"
}

kubeos_machine_id
