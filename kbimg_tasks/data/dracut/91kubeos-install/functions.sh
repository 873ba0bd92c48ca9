#!/bin/sh
# Functions of the installer that know nothing of KubeOS. LOG is the file that they write to.

say() {
    echo "kubeos-install: $*" >>"${LOG:?}"
    echo "kubeos-install: $*" >/dev/console
}

# Runs a program whose output only the log gets.
quietly() {
    echo "+ $*" >>"$LOG"
    "$@" >>"$LOG" 2>&1
}

last_line() {
    sed -n '$p' "$1" | tr -d '\r'
}

# wait_for SECONDS COMMAND...
wait_for() {
    seconds=$1
    shift
    while ! "$@"; do
        [ "$seconds" -gt 0 ] || return 1
        seconds=$((seconds - 1))
        sleep 1
    done
}

# The whole disks that the kernel knows, in one line.
disks() {
    for entry in /sys/class/block/*; do
        [ -e "$entry/device" ] && [ ! -e "$entry/partition" ] && printf '/dev/%s ' "${entry##*/}"
    done
    echo
}

# What the number of a partition is put behind: a digit at the end of the disk's name sets it apart
# by a p, as in nvme0n1p2 and mmcblk0p2, but vda2.
partition_prefix() {
    case "$1" in
        *[0-9]) echo "${1}p" ;;
        *) echo "$1" ;;
    esac
}

has_interface() {
    [ -e "/sys/class/net/$1" ]
}

has_link() {
    [ "$(cat "/sys/class/net/$1/carrier" 2>/dev/null)" = 1 ]
}

# Sets `interface` to the first one with a link, if there is one now.
any_link() {
    for entry in /sys/class/net/*; do
        [ -e "$entry/device" ] || continue
        quietly ip link set "${entry##*/}" up
        if has_link "${entry##*/}"; then
            # shellcheck disable=SC2034 # for whoever asked
            interface=${entry##*/}
            return 0
        fi
    done
    return 1
}
