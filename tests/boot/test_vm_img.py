"""The built system.qcow2, booted: what the guide and the contract specify for a running node."""

from __future__ import annotations

import re
import shutil
import socket
import time
from pathlib import Path

import paramiko
import pytest
import saved
from console import BOOT_SECONDS, PROCESSORS, PROMPT, Node

from kbimg_tasks.commands.boot.hardware import Drive, UserNetwork
from kbimg_tasks.commands.boot.vm import VirtualMachine

pytestmark = pytest.mark.boot

IDLE_MIB = 150  # the guide's figure for a node without Kubernetes


def mounted(node: Node, path: str) -> dict:
    """Source, type and options of the topmost mount at a path."""
    line = node.run(f"findmnt --noheadings --output SOURCE,FSTYPE,OPTIONS {path} | tail -n 1")
    source, kind, options = line.split(None, 2)
    return {"source": source, "kind": kind, "options": options.split(",")}


def test_the_system_runs(node):
    assert node.state(BOOT_SECONDS) == ("running", "")


# After the arguments that all kernels get: those of the tests, or of dm-verity.
LAST_WORDS = {
    "custom_image": "console=tty0 console=ttyS0,115200",
    "verified_image": "console=ttyS0 apparmor=0 dmvroothash=[0-9a-f]{64}",
    "legacy_image": "console=tty0 console=ttyS0,115200",
    "arm_image": "console=tty0 console=ttyAMA0,115200",
}
# Where GRUB's files are mounted, with which file system and label.
BOOT = {
    "custom_image": ("/boot/efi", "vfat", "BOOT"),
    "verified_image": ("/boot/efi", "vfat", "BOOT"),
    "legacy_image": ("/boot/grub2", "ext4", "GRUB2"),
    "arm_image": ("/boot/efi", "vfat", "BOOT"),
}


def test_the_kernel_line_is_the_specified_one(node, image):
    line = node.run("cat /proc/cmdline")
    part = "[0-9a-f]{8}-02" if image == "legacy_image" else "[0-9a-f-]{36}"
    assert re.search(
        rf"root=PARTUUID={part} ro rootfstype=ext4 nomodeset quiet oops=panic "
        r"softlockup_panic=1 nmi_watchdog=1 rd\.shell=0 selinux=0 crashkernel=256M panic=3 "
        + LAST_WORDS[image]
        + "$",
        line,
    )


def test_mounts(node, image):
    verified = image == "verified_image"
    root = mounted(node, "/")
    assert (root["kind"], root["options"][0]) == ("ext4", "ro")
    assert re.fullmatch("/dev/mapper/kubeos-root" if verified else r"/dev/\w+2", root["source"])
    persist = mounted(node, "/persist")["source"]
    assert node.run(f"blkid -s LABEL -o value {persist}") == "PERSIST"
    etc = mounted(node, "/etc")
    assert etc["kind"] == "overlay"
    assert {"upperdir=/persist/etc", "workdir=/persist/etcwork"} <= set(etc["options"])
    cni = mounted(node, "/opt/cni")
    assert {"upperdir=/persist/opt", "workdir=/persist/optwork"} <= set(cni["options"])
    assert mounted(node, "/var")["source"] == f"{persist}[/var]"
    place, kind, label = BOOT[image]
    boot = mounted(node, place)
    assert boot["kind"] == kind
    assert node.run(f"blkid -s LABEL -o value {boot['source']}") == label
    assert boot["source"].endswith("1")
    assert mounted(node, "/tmp")["kind"] == "tmpfs"


def test_root_cannot_be_written(node):
    for folder in ("/", "/usr", "/boot"):
        output, status = node.result(f"touch {folder}/x")
        assert status != 0
        assert "Read-only file system" in output


def test_os_release(node):
    values = dict(line.split("=", 1) for line in node.run("cat /etc/os-release").splitlines())
    assert values["NAME"] == '"KubeOS"'
    assert values["ID"] == '"kubeos"'
    assert values["VERSION_ID"] == '"v1"'
    assert values["PRETTY_NAME"] == '"KubeOS v1"'
    assert node.run("readlink -f /etc/os-release") == "/usr/lib/os-release"


def test_services(node):
    for unit in ("os-agent", "kubelet", "own", "sshd"):
        assert node.run(f"systemctl is-enabled {unit}") == "enabled"
        assert node.run(f"systemctl is-active {unit}") == "active"
    assert node.run("stat -c '%U:%G %a' /usr/bin/os-agent") == "root:root 500"
    node.run("test -e /run/own-ran")


def test_users(node):
    assert set(node.run("id -nG foo").split()) == {"foo", "wheel", "systemd-journal"}
    assert node.run("id -gn bar") == "users"
    assert node.run("stat -c '%U:%G' /home/foo") == "foo:foo"
    assert node.run("getent passwd foo").endswith(":/home/foo:/bin/bash")
    assert node.run("stat -c %a /etc/shadow") in ("0", "600")
    node.run("getent shadow foo | grep -qF ':$6$'")


def test_a_user_logs_in(node):
    node.line.sendline(b"login foo")
    node.expect("assword: ", 60)
    node.line.sendline(b"foo's pass word")
    node.expect(r"\$ ", 60)
    node.line.sendline(b"stty -echo; echo I am $(whoami); exit")
    node.expect("I am foo")
    node.expect(PROMPT)  # back in root's shell


def test_what_the_configuration_put_there(node):
    assert node.run("cat /usr/share/kbimg-test/deep/hello.txt") == "hello from a copied file"
    assert node.run("stat -c '%a %U:%G' /usr/share/kbimg-test/deep/hello.txt") == "640 root:wheel"
    assert node.run("stat -c '%a %U:%G' /home/foo/hello.txt") == "600 foo:foo"
    assert node.run("stat -c '%U' /home/foo /home/foo/.bashrc").split() == ["foo", "foo"]
    assert node.run("cat /etc/chroot-mark") == "0"
    assert node.run("cat /var/lib/from-script") == "factory"
    assert node.result("test -e /mark.sh")[1] == 1
    node.run("test -d /persist/data -a -d /persist/deep/er")


def test_var_of_the_packages(node):
    assert node.run("stat -c '%U:%G %a' /var/lib/chrony") == "_chrony:_chrony 750"
    unsafe = node.run("journalctl --boot --unit systemd-tmpfiles-setup --no-pager")
    assert "unsafe path" not in unsafe
    node.run("ls /var/log/journal/$(cat /etc/machine-id)")


def test_machine_id_is_one_for_all(node):
    machine_id = node.run("cat /etc/machine-id")
    assert re.fullmatch("[0-9a-f]{32}", machine_id)
    assert node.run("cat /persist/etc/machine-id") == machine_id
    assert (
        node.run("journalctl --boot --output=export -n 1 | sed -n s/^_MACHINE_ID=//p") == machine_id
    )
    assert node.run("dbus-uuidgen --get") == machine_id


@pytest.mark.long
def test_what_is_written_survives_a_reboot(node):
    before = node.run("cat /etc/machine-id; cat /etc/ssh/ssh_host_*_key.pub")
    assert "ssh-ed25519" in before
    node.run(
        "echo kept > /etc/kept; echo kept > /var/lib/kept; mkdir -p /opt/cni/bin; "
        "echo kept > /opt/cni/bin/kept; sync"
    )
    node.reboot()
    assert "FAILED" not in node.machine.log.read_text(errors="replace")
    assert node.run("cat /etc/kept /var/lib/kept /opt/cni/bin/kept").split() == ["kept"] * 3
    assert node.run("cat /etc/machine-id; cat /etc/ssh/ssh_host_*_key.pub") == before
    assert int(node.run("journalctl --quiet --list-boots | grep -c -- '-1 '")) == 1


@pytest.mark.long
def test_two_nodes_of_one_image_differ(node, image, request, tmp_path):
    out = request.getfixturevalue(image)
    with saved.KINDS[image].node(out, tmp_path) as other:
        other.login()
        other.result("systemctl is-system-running --wait", BOOT_SECONDS)
        for command in ("cat /etc/machine-id", "cat /etc/ssh/ssh_host_ed25519_key.pub"):
            assert other.run(command) != node.run(command)


def free_port() -> int:
    """An unused TCP port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def unchanged(plain_image, tmp_path_factory):
    """The unchanged image, reached only by ssh."""
    folder = tmp_path_factory.mktemp("unchanged")
    disk = shutil.copyfile(plain_image / "system.qcow2", folder / "system.qcow2")
    port = free_port()
    node = Node(
        VirtualMachine(
            Drive(Path(disk), "qcow2"), folder, network=UserNetwork(port), processors=PROCESSORS
        )
    )
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    deadline = time.monotonic() + BOOT_SECONDS
    with node:
        while True:
            try:
                client.connect(
                    "127.0.0.1",
                    port,
                    "root",
                    "openEuler12#$",
                    timeout=60,
                    banner_timeout=120,
                    auth_timeout=120,
                    allow_agent=False,
                    look_for_keys=False,
                )
                break
            except (OSError, paramiko.SSHException):
                assert time.monotonic() < deadline, "no ssh within the time of a boot"
                time.sleep(3)
        yield client
        client.close()


def over_ssh(client: paramiko.SSHClient, command: str) -> str:
    _, output, _ = client.exec_command(command, timeout=120)
    return output.read().decode().strip()


def test_the_unchanged_image_answers_ssh(unchanged):
    assert over_ssh(unchanged, "id -un") == "root"
    assert over_ssh(unchanged, "systemctl is-system-running --wait") == "running"
    line = over_ssh(unchanged, "cat /proc/cmdline")
    assert line.endswith("selinux=0 crashkernel=256M panic=3")


def test_memory_of_an_idle_node(unchanged):
    """Used memory: neither free nor cache, as `free` counts it (free(1), procps-ng 3)."""
    over_ssh(unchanged, "systemctl is-system-running --wait")
    text = over_ssh(unchanged, "cat /proc/meminfo")
    values = {name: int(value) // 1024 for name, value in re.findall(r"(\w+):\s+(\d+) kB", text)}
    used = (
        values["MemTotal"]
        - values["MemFree"]
        - values["Buffers"]
        - values["Cached"]
        - values["SReclaimable"]
    )
    print(
        f"memory in use: {used} MiB; not available: "
        f"{values['MemTotal'] - values['MemAvailable']} MiB"
    )
    assert used < IDLE_MIB
