"""A configuration that uses every option, and for each option another legal value.

As the tables of a file, so that a test can write them into one and build. The packages are few.
"""

from __future__ import annotations

from typing import Any

SAMPLE: dict[str, Any] = {
    "from_repo": {
        "agent_path": "os-agent",
        "repo_path": "one.repo",
        "version": "v1",
        "root_passwd": "$1$xyz$RdLyKTL32WEvK3lg8CXID0",
        "rpmlist": ["kernel", "passwd", "tar"],
        "legacy_bios": False,
        "upgrade_img": "kubeos-upgrade:v1",
    },
    "from_dockerimg": {
        "upgrade_img": "kubeos-upgrade:v1",
        "archive": "upgrade_img.tar",
        "legacy_bios": False,
    },
    "admin_container": {
        "img_name": "kubeos-admin:v1",
        "hostshell": "hostshell",
        "repo_path": "one.repo",
    },
    "pxe_config": {
        "server_ip": "192.168.122.50",
        "rootfs_name": "kubeos.tar",
        "disk": "/dev/vda",
        "route_ip": "192.168.122.1",
        "dhcp": False,
        "local_ip": "192.168.122.100",
        "net_name": "eth0",
        "netmask": "255.255.255.0",
    },
    "users": [{"name": "foo", "passwd": "one", "primary_group": "users", "groups": ["wheel"]}],
    "copy_files": [
        {
            "src": "hello.txt",
            "dst": "/usr/share/sample/deep",
            "create_dir": "/usr/share/sample/deep",
            "mode": "0640",
            "owner": "root:wheel",
        },
        {"src": "own.service", "dst": "/etc/systemd/system"},
        {"src": "other.service", "dst": "/etc/systemd/system"},
    ],
    "grub": {"passwd": "grub-one"},
    "systemd_service": {"name": ["own"]},
    "chroot_script": {"path": "one.sh", "rm": True},
    "disk_partition": {"root": 1024, "img_size": 5},
    "persist_mkdir": {"name": ["data"]},
    "dm_verity": {
        "efi_key": "efi-one",
        "grub_key": "grub-one",
        "keys_dir": "keys",
        "cert_years": 10,
    },
}

CHANGED: dict[str, Any] = {
    "from_repo.agent_path": "os-agent-2",
    "from_repo.repo_path": "two.repo",
    "from_repo.root_passwd": "$1$abc$RdLyKTL32WEvK3lg8CXID0",
    "from_repo.version": "v2",
    "from_repo.rpmlist": ["kernel", "passwd", "tar", "vi"],
    "from_repo.legacy_bios": True,
    "from_repo.upgrade_img": "kubeos-upgrade:v2",
    "from_dockerimg.upgrade_img": "kubeos-upgrade:v2",
    "from_dockerimg.archive": "upgrade_img-2.tar",
    "from_dockerimg.legacy_bios": True,
    "admin_container.img_name": "kubeos-admin:v2",
    "admin_container.hostshell": "hostshell-2",
    "admin_container.repo_path": "two.repo",
    "admin_container.base_image": "openeuler/openeuler:24.03-lts-sp1",
    "pxe_config.server_ip": "192.168.122.51",
    "pxe_config.rootfs_name": "other.tar",
    "pxe_config.disk": "/dev/vdb",
    "pxe_config.route_ip": "192.168.122.2",
    "pxe_config.dhcp": True,
    "pxe_config.local_ip": "192.168.122.101",
    "pxe_config.net_name": "eth1",
    "pxe_config.netmask": "255.255.0.0",
    "users.name": "bar",
    "users.passwd": "two",
    "users.primary_group": "wheel",
    "users.groups": ["users"],
    "copy_files.dst": "/usr/share/sample/other",
    "copy_files.src": "hello-2.txt",
    "copy_files.create_dir": "/usr/share/sample",
    "copy_files.mode": "0644",
    "copy_files.owner": "root:users",
    "grub.passwd": "grub-two",
    "systemd_service.name": ["own", "other"],
    "chroot_script.path": "two.sh",
    "chroot_script.rm": False,
    "disk_partition.root": 1100,
    "disk_partition.img_size": 6,
    "persist_mkdir.name": ["data", "deep/er"],
    "dm_verity.efi_key": "efi-two",
    "dm_verity.grub_key": "grub-two",
    "dm_verity.keys_dir": "keys-2",
    "dm_verity.cert_years": 11,
}

# Where a build stops earlier with these values: the stages that may, and are not made. The other
# repository file names the same packages; the added package is not the newest, so the clock stays.
STOPS: dict[str, tuple[str, ...]] = {
    "from_repo.repo_path": (
        "rootfs",
        "grub",
        "initramfs",
        "customised",
        "esp",
        "root_b",
        "persist",
        "system_img",
        "system_qcow2",
        "kubeos_tar",
        "kubeos_tar_sha256",
        "system_qcow2_sha256",
        "sbom",
        "build_tools",
    ),
    "from_repo.rpmlist": ("root_b", "persist"),
}
