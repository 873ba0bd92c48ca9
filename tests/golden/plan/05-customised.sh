#!/bin/sh
# customised: units, users, files and scripts of the configuration
#
# makes: layer
# from: clock of packages, rootfs of rootfs, layer of grub
set -eu
PLAN=$(dirname "$(realpath "$0")")
# shellcheck source=/dev/null
. "$PLAN/environment.sh"

begin customised
need "$STAGES/packages/clock" "$STAGES/rootfs/rootfs" "$STAGES/grub/layer" \
    /kbimg/bin/rust/release/os-agent
secrets root_passwd

step "$PYTHON" -m kbimg_tasks.tools.sandboxed "--root=$WORK/root" "--layer=$STAGES/rootfs/rootfs" \
    "--layer=$STAGES/grub/layer" "--upper=$WORK/layer" "--work=$WORK/overlay-work" \
    --move=/usr/share/factory/var:/var -- \
    install --mode=500 --owner=0 --group=0 /kbimg/bin/rust/release/os-agent \
    "$WORK/root/usr/bin/os-agent"

step "$PYTHON" -m kbimg_tasks.tools.sandboxed "--root=$WORK/root" "--layer=$STAGES/rootfs/rootfs" \
    "--layer=$STAGES/grub/layer" "--upper=$WORK/layer" "--work=$WORK/overlay-work" \
    --move=/usr/share/factory/var:/var -- \
    install --mode=644 "--target-directory=$WORK/root/usr/lib/systemd/system" \
    "$PLAN/data/units/persist.mount" "$PLAN/data/units/etc.mount" "$PLAN/data/units/opt-cni.mount" \
    "$PLAN/data/units/var.mount" "$PLAN/data/units/tmp.mount" "$PLAN/data/units/boot-efi.mount" \
    "$PLAN/data/units/kubeos-machine-id.service" "$PLAN/data/units/os-agent.service"

step "$PYTHON" -m kbimg_tasks.tools.sandboxed "--root=$WORK/root" "--layer=$STAGES/rootfs/rootfs" \
    "--layer=$STAGES/grub/layer" "--upper=$WORK/layer" "--work=$WORK/overlay-work" \
    --move=/usr/share/factory/var:/var -- \
    install -D --mode=644 "$PLAN/data/system/journald.conf" \
    "$WORK/root/usr/lib/systemd/journald.conf.d/10-kubeos.conf"

step "$PYTHON" -m kbimg_tasks.tools.sandboxed "--root=$WORK/root" "--layer=$STAGES/rootfs/rootfs" \
    "--layer=$STAGES/grub/layer" "--upper=$WORK/layer" "--work=$WORK/overlay-work" \
    --move=/usr/share/factory/var:/var -- \
    "$PYTHON" -m kbimg_tasks.tools.fill "$PLAN/data/system/os-release" \
    "$WORK/root/usr/lib/os-release" VERSION=v1

step "$PYTHON" -m kbimg_tasks.tools.sandboxed "--root=$WORK/root" "--layer=$STAGES/rootfs/rootfs" \
    "--layer=$STAGES/grub/layer" "--upper=$WORK/layer" "--work=$WORK/overlay-work" \
    --move=/usr/share/factory/var:/var -- \
    ln --symbolic --force ../usr/lib/os-release "$WORK/root/etc/os-release"

step "$PYTHON" -m kbimg_tasks.tools.sandboxed "--root=$WORK/root" "--layer=$STAGES/rootfs/rootfs" \
    "--layer=$STAGES/grub/layer" "--upper=$WORK/layer" "--work=$WORK/overlay-work" \
    --move=/usr/share/factory/var:/var --kernel --machine=x86_64 --chroot -- \
    systemctl enable persist.mount etc.mount opt-cni.mount var.mount tmp.mount boot-efi.mount \
    kubeos-machine-id.service os-agent.service

step "$PYTHON" -m kbimg_tasks.tools.sandboxed "--root=$WORK/root" "--layer=$STAGES/rootfs/rootfs" \
    "--layer=$STAGES/grub/layer" "--upper=$WORK/layer" "--work=$WORK/overlay-work" \
    --move=/usr/share/factory/var:/var --kernel --machine=x86_64 --chroot -- \
    ln --symbolic --force /usr/lib/systemd/system/kubelet.service \
    /etc/systemd/system/multi-user.target.wants/kubelet.service

step SOURCE_DATE_EPOCH="$(cat "$STAGES/packages/clock")" \
    "$PYTHON" -m kbimg_tasks.tools.sandboxed "--root=$WORK/root" "--layer=$STAGES/rootfs/rootfs" \
    "--layer=$STAGES/grub/layer" "--upper=$WORK/layer" "--work=$WORK/overlay-work" \
    --move=/usr/share/factory/var:/var -- \
    "$PYTHON" -m kbimg_tasks.tools.set_password "$WORK/root/etc/shadow" root \
    < "$KBIMG_SECRETS/root_passwd"

step "$PYTHON" -m kbimg_tasks.tools.sandboxed "--root=$WORK/root" "--layer=$STAGES/rootfs/rootfs" \
    "--layer=$STAGES/grub/layer" "--upper=$WORK/layer" "--work=$WORK/overlay-work" \
    --move=/usr/share/factory/var:/var -- \
    "$PYTHON" -m kbimg_tasks.tools.settle_rpmdb "$WORK/root/usr/share/factory/var/lib/rpm"

step "$PYTHON" -m kbimg_tasks.tools.sandboxed "--root=$WORK/root" "--layer=$STAGES/rootfs/rootfs" \
    "--layer=$STAGES/grub/layer" "--upper=$WORK/layer" "--work=$WORK/overlay-work" \
    --move=/usr/share/factory/var:/var -- \
    "$PYTHON" -m kbimg_tasks.tools.list_factory "$WORK/root/usr/share/factory/var" \
    "$WORK/root/usr/lib/tmpfiles.d/kubeos-var.conf"

age "$WORK/layer" "$(cat "$STAGES/packages/clock")"
publish "$WORK/layer" "$STAGES/customised"
finish
