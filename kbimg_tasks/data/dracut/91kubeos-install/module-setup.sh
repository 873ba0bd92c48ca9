#!/bin/bash
# dracut module: installs KubeOS from an HTTP server onto this machine's disk, and goes on into it.

check() {
    return 255 # only where it is asked for
}

depends() {
    echo base
}

installkernel() {
    hostonly='' instmods ext4 vfat nls_cp437 nls_ascii nls_iso8859-1 nls_utf8 af_packet virtio_net \
        =drivers/net/ethernet =drivers/net/phy
}

install() {
    # stages/pxe.py has the same list, with packages.
    inst_multiple basename blockdev cat cp curl cut grep ip mkdir mkfifo mkfs.ext4 mkfs.vfat \
        mount mountpoint readlink rm sed sfdisk sha256sum sleep sync tar tee tr udevadm umount wipefs
    inst_multiple -o dhclient
    inst_simple /etc/nsswitch.conf
    inst_script "${moddir:?}/kubeos-install.sh" /usr/sbin/kubeos-install
    inst_simple "$moddir/functions.sh" /usr/lib/kubeos-install/functions.sh
    inst_script "$moddir/dhclient-script.sh" /usr/sbin/kubeos-dhclient-script
    inst_simple "$moddir/mke2fs.conf" /etc/mke2fs.conf
    for file in install.conf partitions folders; do
        inst_simple "$moddir/$file" "/etc/kubeos-install/$file"
    done
    inst_hook cmdline 05 "$moddir/take-root.sh"
    inst_hook mount 05 "$moddir/mount-root.sh"
}
