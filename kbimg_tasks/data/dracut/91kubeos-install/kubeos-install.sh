#!/bin/sh
# Installs KubeOS from an HTTP server on this machine's disk and mounts its root file system.
#
# Usage: kubeos-install DIRECTORY
#
# /etc/kubeos-install has what it is to do: install.conf (shell variables), partitions (an sfdisk
# script without the size of the last partition, which gets the rest), folders (of PERSIST). Nothing
# on the disk changes before the disk is known to fit and the server has the file; nothing can be
# booted from it before the file was whole.
set -u

LOG=/run/kubeos-install.log
WORK=/run/kubeos-install
ROOT=$WORK/root
MENU=boot/efi/EFI/openEuler/grub.cfg
CONF=/etc/kubeos-install
# How long a disk, a link or a server may take; kubeos.wait=SECONDS on the kernel's command line.
WAIT_SECONDS=$(sed -n 's/.*\<kubeos\.wait=\([0-9][0-9]*\).*/\1/p' /proc/cmdline)
WAIT_SECONDS=${WAIT_SECONDS:-60}
ATTEMPTS=5
SMALLEST_BYTES=8000000000
has_persist=

# shellcheck source=/dev/null
. /usr/lib/kubeos-install/functions.sh

# fail WHAT WHERE-TO-LOOK
fail() {
    say "FAILED: $1"
    say "        $2"
    say "        The log is $LOG; boot with rd.shell on the kernel command line for a shell."
    # It outlives the machine's memory where there is a place for it already.
    [ -z "$has_persist" ] || { open_persist && cp "$LOG" "$WORK/persist/install.log" &&
        umount "$WORK/persist"; }
    exit 1
}

open_persist() {
    mountpoint -q "$WORK/persist" || quietly mount -t ext4 "${part}4" "$WORK/persist"
}

# shellcheck disable=SC2153 # DISK is the one of install.conf, disk the device that it leads to
find_disk() {
    say "looking for the disk $DISK"
    wait_for "$WAIT_SECONDS" test -b "$DISK" ||
        fail "no disk $DISK after $WAIT_SECONDS seconds; found: $(disks)" \
            "Compare pxe_config.disk with the machine."
    disk=$(readlink -f "$DISK")
    name=$(basename "$disk")
    [ ! -e "/sys/class/block/$name/partition" ] ||
        fail "$DISK is a partition, not a disk" "Name the whole disk in pxe_config.disk."
    bytes=$(blockdev --getsize64 "$disk") ||
        fail "$disk cannot be read" "See the kernel's messages."
    needed=$((NEEDED_MIB * 1024 * 1024))
    [ "$needed" -ge "$SMALLEST_BYTES" ] || needed=$SMALLEST_BYTES
    [ "$bytes" -ge "$needed" ] ||
        fail "the disk $DISK has $((bytes / 1048576)) MiB, and needs $((needed / 1048576)) MiB" \
            "Take a larger disk, or a smaller disk_partition.root."
    part=$(partition_prefix "$disk")
}

network_up() {
    interface=
    if [ -n "$NET_NAME" ]; then
        if wait_for 10 has_interface "$NET_NAME"; then
            interface=$NET_NAME
            quietly ip link set "$interface" up
            wait_for "$WAIT_SECONDS" has_link "$interface" ||
                fail "the interface $interface has no link after $WAIT_SECONDS seconds" \
                    "Look at the cable and the switch."
        else
            say "WARNING: there is no interface $NET_NAME: using the first one with a link"
        fi
    fi
    if [ -z "$interface" ]; then
        wait_for "$WAIT_SECONDS" any_link ||
            fail "no interface has a link after $WAIT_SECONDS seconds" \
                "Look at the cable, and whether the kernel has a driver for the adapter."
    fi
    if [ "$DHCP" = true ]; then
        say "asking for an address on $interface by DHCP"
        quietly dhclient -1 -v -sf /usr/sbin/kubeos-dhclient-script -cf /dev/null \
            -lf "$WORK/leases" -pf "$WORK/dhclient.pid" "$interface" ||
            fail "no DHCP server gave an address for $interface" "Look at the DHCP server's log."
    else
        say "setting $LOCAL_IP on $interface"
        quietly ip address add "$LOCAL_IP/$NETMASK" dev "$interface" ||
            fail "$LOCAL_IP cannot be set on $interface: $(last_line "$LOG")" \
                "Compare local_ip and netmask of pxe_config with the network."
    fi
    quietly ip route replace default via "$ROUTE_IP" dev "$interface" ||
        say "WARNING: no route by $ROUTE_IP: $(last_line "$LOG")"
}

# Asks for the file's size and sum, without fetching it.
ask_server() {
    say "asking for $URL"
    if ! curl --fail --silent --show-error --head --connect-timeout "$WAIT_SECONDS" \
        --retry 3 --retry-connrefused --location "$URL" >"$WORK/headers" 2>"$WORK/error"; then
        cat "$WORK/error" >>"$LOG"
        fail "the server does not serve $URL: $(last_line "$WORK/error")" \
            "Does the server run? Compare server_ip and rootfs_name of pxe_config with it."
    fi
    cat "$WORK/headers" >>"$LOG"
    total=$(tr -d '\r' <"$WORK/headers" | sed -n 's/^[Cc]ontent-[Ll]ength: *//p' | sed -n '$p')
    resumes=$(tr 'A-Z\r' 'a-z ' <"$WORK/headers" | sed -n 's/^accept-ranges: *\(bytes\).*/\1/p')
    [ -n "$total" ] || fail "the server sends no Content-Length for $URL" "Take another HTTP server."
    sum=$(curl --fail --silent --location --connect-timeout 20 "$URL.sha256" 2>>"$LOG" |
        sed -n '1s/^\([0-9a-f]\{64\}\)\( .*\)*$/\1/p')
    [ -n "$sum" ] || say "WARNING: there is no $URL.sha256: the checksum of the file is not checked"
}

partition() {
    say "partitioning $disk: all data on it is lost"
    quietly wipefs --all "$disk"
    quietly sfdisk --wipe always --wipe-partitions always "$disk" <"$CONF/partitions" ||
        fail "sfdisk: $(last_line "$LOG")" "Look at the log."
    quietly udevadm settle --timeout=30
    wait_for "$WAIT_SECONDS" test -b "${part}4" ||
        fail "the kernel does not show the partition ${part}4" "Look at the kernel's messages."
}

# format NUMBER LABEL
format() {
    quietly mkfs.ext4 -q -F -m 0 -L "$2" "$part$1" ||
        fail "mkfs.ext4 on $part$1: $(last_line "$LOG")" "Look at the disk."
}

# Writes the file to standard output, and goes on where a connection broke. Its status goes to a
# file, since a pipe tells only its last program's.
fetch() {
    got=0
    attempt=1
    while :; do
        if curl --fail --silent --show-error --location --connect-timeout 20 --speed-limit 1 \
            --speed-time 60 --continue-at "$got" --write-out '%{stderr}\n%{size_download}' "$URL" \
            2>"$WORK/fetched"; then
            echo whole >"$WORK/fetch"
            return
        fi
        size=$(last_line "$WORK/fetched")
        cat "$WORK/fetched" >>"$LOG"
        got=$((got + ${size:-0}))
        if [ "$got" -ge "$total" ]; then
            echo whole >"$WORK/fetch"
            return
        fi
        if [ "$attempt" -ge "$ATTEMPTS" ] || { [ "$got" -gt 0 ] && [ -z "$resumes" ]; }; then
            sed -n 1p "$WORK/fetched" >"$WORK/fetch"
            return
        fi
        attempt=$((attempt + 1))
        say "the download stopped after $((got / 1048576)) of $((total / 1048576)) MiB: resuming"
        sleep 2
    done
}

unpack() {
    say "fetching $((total / 1048576)) MiB and unpacking them on ${part}2"
    quietly mount -t ext4 "${part}2" "$ROOT" ||
        fail "mount: $(last_line "$LOG")" "Look at the disk."
    rm -f "$WORK/pipe"
    mkfifo "$WORK/pipe"
    sha256sum <"$WORK/pipe" >"$WORK/sum" &
    summing=$!
    fetch | tee "$WORK/pipe" | {
        tar --extract --directory "$ROOT" --numeric-owner --same-owner --preserve-permissions \
            --xattrs --xattrs-include='*' --acls 2>"$WORK/tar"
        echo "$?" >"$WORK/unpacked"
        # What follows the end of the archive counts for the sum.
        cat >/dev/null
    }
    wait "$summing"
    cat "$WORK/tar" >>"$LOG"
    read -r fetched <"$WORK/fetch"
    [ "$fetched" = whole ] ||
        fail "the download of $URL stopped: $fetched" "Look at the server and at the network."
    found=$(cut -c -64 "$WORK/sum")
    if [ -n "$sum" ] && [ "$found" != "$sum" ]; then
        fail "$URL has the SHA-256 checksum $found, and $URL.sha256 has $sum" \
            "Copy both files of the same build to the server."
    fi
    read -r status <"$WORK/unpacked"
    [ "$status" = 0 ] || fail "$URL cannot be unpacked: $(last_line "$WORK/tar")" \
        "Copy the complete kubeos.tar of the build to the server."
    for path in boot/vmlinuz "$MENU" usr/lib/systemd/systemd; do
        [ -e "$ROOT/$path" ] || fail "the root tree has no /$path" "Is $URL kubeos.tar of kbimg?"
    done
}

# The tar may have been made for partitions of other sizes, and so with other UUIDs in its menu,
# which has one line for each slot that loads a kernel.
name_slots() {
    if grep -q " root=PARTUUID=$ROOT_A " "$ROOT/$MENU" &&
        grep -q " root=PARTUUID=$ROOT_B " "$ROOT/$MENU"; then
        return
    fi
    say "writing this disk's slots to grub.cfg"
    # shellcheck disable=SC2046 # one word for each line's number
    set -- $(sed -n '/^[[:blank:]]*linux.*[[:blank:]]root=/=' "$ROOT/$MENU")
    [ $# = 2 ] || fail "grub.cfg has $# lines that load a kernel, expected one for each slot" \
        "Is $URL kubeos.tar of kbimg?"
    quietly sed -i -e "$1 s/ root=[^ ]*/ root=PARTUUID=$ROOT_A/" \
        -e "$2 s/ root=[^ ]*/ root=PARTUUID=$ROOT_B/" "$ROOT/$MENU" ||
        fail "$MENU cannot be written: $(last_line "$LOG")" "Look at the log."
}

boot_partition() {
    say "making the ESP"
    if ! { quietly mkfs.vfat -n BOOT "${part}1" && quietly mkdir -p "$WORK/esp" &&
        quietly mount -t vfat "${part}1" "$WORK/esp" &&
        quietly cp -r "$ROOT/boot/efi/EFI" "$WORK/esp/" && quietly umount "$WORK/esp"; }; then
        fail "the ESP could not be made: $(last_line "$LOG")" "Look at the log."
    fi
}

persist() {
    say "making the folders of PERSIST"
    open_persist || fail "mount: $(last_line "$LOG")" "Look at the disk."
    while read -r folder; do
        quietly mkdir -p "$WORK/persist/$folder" ||
            fail "mkdir: $(last_line "$LOG")" "Look at the disk."
    done <"$CONF/folders"
}

finish() {
    quietly umount "$ROOT" || fail "umount: $(last_line "$LOG")" "Look at the log."
    quietly mount -t ext4 -o ro "${part}2" "$1" ||
        fail "mount: $(last_line "$LOG")" "Look at the log."
    [ ! -s "$WORK/dhclient.pid" ] || kill "$(cat "$WORK/dhclient.pid")"
    say "installed; starting the system"
    quietly cp "$LOG" "$WORK/persist/install.log" ||
        say "WARNING: the log was not saved: $(last_line "$LOG")"
    quietly umount "$WORK/persist"
    sync
}

main() {
    mkdir -p "$ROOT" "$WORK/persist"
    : >"$LOG"
    # It sets DISK, SERVER_IP, ROOTFS_NAME, ROUTE_IP, DHCP, LOCAL_IP, NETMASK, NET_NAME, NEEDED_MIB,
    # and the partitions' UUIDs ROOT_A and ROOT_B.
    # shellcheck source=/dev/null
    . "$CONF/install.conf"
    URL=http://$SERVER_IP/$ROOTFS_NAME
    find_disk
    network_up
    ask_server
    partition
    say "making the file systems"
    format 2 ROOT-A
    format 3 ROOT-B
    format 4 PERSIST
    has_persist=yes
    unpack
    name_slots
    boot_partition
    persist
    finish "$1"
}

main "${1:?}"
