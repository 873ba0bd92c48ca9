#!/bin/bash
# dracut module: mounts the slot's root file system through its hash tree, and goes over to the other
# slot where it does not agree with the root hash.

check() {
    return 255 # only where it is asked for
}

depends() {
    echo base dm
}

installkernel() {
    hostonly='' instmods dm-verity dm-mod ext4 efivarfs sha256
}

install() {
    # stages/verity.py has the same list, with packages.
    inst_multiple cat cut efibootmgr head mkdir mount readlink rm sed sync tr udevadm umount uname \
        veritysetup
    inst_script "${moddir:?}/kubeos-dmv" /usr/bin/kubeos-dmv
    inst_script "$moddir/kubeos-verity.sh" /usr/sbin/kubeos-verity
    inst_hook mount 05 "$moddir/mount-root.sh"
}
