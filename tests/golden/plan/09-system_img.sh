#!/bin/sh
# system_img: system.img, the disk of 20 GiB with slot A filled
#
# makes: system.img
# from: clock of packages, rootfs of rootfs, layer of initramfs, layer of grub, layer of customised,
#    esp.img of esp, root-b.img of root_b, persist.img of persist
set -eu
PLAN=$(dirname "$(realpath "$0")")
# shellcheck source=/dev/null
. "$PLAN/environment.sh"

begin system_img
need "$STAGES/packages/clock" "$STAGES/rootfs/rootfs" "$STAGES/initramfs/layer" \
    "$STAGES/grub/layer" "$STAGES/customised/layer" "$STAGES/esp/esp.img" \
    "$STAGES/root_b/root-b.img" "$STAGES/persist/persist.img"

step "$PYTHON" -m kbimg_tasks.tools.sandboxed "--root=$WORK/root" "--layer=$STAGES/rootfs/rootfs" \
    "--layer=$STAGES/initramfs/layer" "--layer=$STAGES/grub/layer" \
    "--layer=$STAGES/customised/layer" -- \
    "$PYTHON" -m kbimg_tasks.tools.measure_tree "$WORK/root" --root-mib=2560

step truncate --size=20480M "$WORK/system.img"

step "$PYTHON" -m kbimg_tasks.tools.nosync -- \
    sfdisk --quiet "$WORK/system.img" << 'END'
label: gpt
label-id: 667934a2-0ec2-54a2-a6a9-f627afcd1afd
unit: sectors
sector-size: 512
1 : start=2048, size=120832, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=f07dcfba-006c-517f-b823-fcae33ac78cc, name="BOOT"
2 : start=122880, size=5242880, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=d5045f9f-2b74-5f67-8d75-a70550286352, name="ROOT-A"
3 : start=5365760, size=5242880, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=8d111467-565d-56cf-aad9-173fd7383a42, name="ROOT-B"
4 : start=10608640, size=31332352, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=6031d569-f74e-5fd2-97c7-d694d476bc19, name="PERSIST"
END

step E2FSPROGS_FAKE_TIME="$(cat "$STAGES/packages/clock")" MKE2FS_CONFIG="$PLAN/data/mke2fs.conf" \
    SOURCE_DATE_EPOCH="$(cat "$STAGES/packages/clock")" \
    "$PYTHON" -m kbimg_tasks.tools.nosync -- \
    "$PYTHON" -m kbimg_tasks.tools.sandboxed "--root=$WORK/root" "--layer=$STAGES/rootfs/rootfs" \
    "--layer=$STAGES/initramfs/layer" "--layer=$STAGES/grub/layer" \
    "--layer=$STAGES/customised/layer" -- \
    mke2fs -q -F -t ext4 -m 0 -L ROOT-A -U 81e3538e-c78f-5165-b46a-e0944ef753e7 -E \
    nodiscard,hash_seed=81e3538e-c78f-5165-b46a-e0944ef753e7,root_owner=0:0,offset=62914560 -d \
    "$WORK/root" "$WORK/system.img" 2560M

step dumpe2fs "$WORK/system.img?offset=62914560" > "$WORK/groups"

step "$PYTHON" -m kbimg_tasks.tools.ext4_times "$WORK/groups" \
    "--clock=$(cat "$STAGES/packages/clock")" > "$WORK/debugfs-commands"

step E2FSPROGS_FAKE_TIME="$(cat "$STAGES/packages/clock")" \
    SOURCE_DATE_EPOCH="$(cat "$STAGES/packages/clock")" \
    "$PYTHON" -m kbimg_tasks.tools.nosync -- \
    debugfs -w -f "$WORK/debugfs-commands" "$WORK/system.img?offset=62914560" \
    > "$WORK/debugfs-log"

step "$PYTHON" -m kbimg_tasks.tools.sparse_copy "$STAGES/esp/esp.img" "$WORK/system.img" \
    --at-mib=1

step "$PYTHON" -m kbimg_tasks.tools.sparse_copy "$STAGES/root_b/root-b.img" "$WORK/system.img" \
    --at-mib=2620

step "$PYTHON" -m kbimg_tasks.tools.sparse_copy "$STAGES/persist/persist.img" "$WORK/system.img" \
    --at-mib=5180

publish "$WORK/system.img" "$OUT"
finish
