#!/bin/bash
# dracut module: gives each node the machine-id that is kept on its PERSIST partition.

check() {
    return 0
}

depends() {
    echo base
}

installkernel() {
    instmods ext4
}

install() {
    inst_multiple cat mkdir mount mv sync tr umount
    inst_hook pre-pivot 50 "${moddir:?}/machine-id.sh"
}
