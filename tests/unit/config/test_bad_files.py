"""Bad configurations with all error messages of each."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli

from docs.generator.schema import schema
from kbimg_tasks.config.load import load
from kbimg_tasks.diagnostics.problem import ConfigError
from kbimg_tasks.plan.kinds import KINDS

REPO = """[from_repo]
agent_path = "agent"
repo_path = "os.repo"
root_passwd = "$6$salt$hash"
version = "v1"
rpmlist = ["kernel"]
"""
PXE = """[pxe_config]
server_ip = "10.0.0.1"
rootfs_name = "kubeos.tar"
disk = "/dev/vda"
route_ip = "10.0.0.2"
dhcp = true
"""
VERITY = REPO + "[dm_verity]\nefi_key = 'a'\ngrub_key = 'b'\n[grub]\npasswd = 'x'\n"
NAME = "a package name"
VERSION = "a version of letters, digits and . _ + ~ ^ -"
HASH = "a password hash as in /etc/shadow (openssl passwd -6)"
NO_MENU_PASSWORD = (
    "needs a table [grub] with passwd: without a password anybody could boot "
    "another root hash from the menu"
)
AS_IT_IS = (
    "excludes from_dockerimg, whose upgrade image is taken as it is: it belongs into the "
    "configuration that the upgrade image is made of"
)
IMAGE = 'a container image\'s name such as "kubeos-upgrade:v1"'
ADDRESS = 'an IPv4 address such as "192.168.1.10"'
MASK = 'an IPv4 netmask such as "255.255.255.0"'
TREE = "an absolute path of the image without .."
PERSIST = "the name of a directory on PERSIST, relative and without .."
UNIT = "the name of a systemd unit"
USER = "a user name (a to z, 0 to 9, _ and -)"
GROUP = "a group name (a to z, 0 to 9, _ and -)"
DISK = 'a disk such as "/dev/vda"'
MODE = 'an octal mode in quotes such as "0644"'
OWNER = 'an owner such as "root" or "root:wheel"'


def repo(old: str, new: str) -> str:
    assert old in REPO
    return REPO.replace(old, new)


def pxe(old: str, new: str) -> str:
    assert old in PXE
    return PXE.replace(old, new)


# Text, images, messages after `kbimg.toml:`.
BAD = [
    (
        "\ufeff" + REPO,
        (),
        ["1: expected TOML, found a byte order mark before it; save as UTF-8 without BOM"],
    ),
    # Tables.
    ("[from_repos]\n", (), ["1: from_repos: unknown table (did you mean from_repo?)"]),
    ("x = 1\n", (), ["1: x: unknown option"]),
    (
        "from_repo = 3\n",
        (),
        ["1: from_repo: expected one table headed [from_repo], found a number"],
    ),
    (
        "[[from_repo]]\n",
        (),
        ["1: from_repo: expected one table headed [from_repo], found [[from_repo]]"],
    ),
    ("[users]\nname = 'a'\n", (), ["1: users: expected tables headed [[users]], found [users]"]),
    (
        "copy_files = 'x'\n",
        (),
        ["1: copy_files: expected tables headed [[copy_files]], found text of 1 characters"],
    ),
    ("users = [1]\n", (), ["1: users[0]: expected a table, found a number"]),
    ("grub = 'x'\n", (), ["1: grub: expected one table headed [grub], found text of 1 characters"]),
    # from_repo.
    (
        "[from_repo]\n",
        (),
        [
            f"1: from_repo: the option {name} is missing"
            for name in ("agent_path", "repo_path", "root_passwd", "version", "rpmlist")
        ],
    ),
    (REPO + "rpmlst = []\n", (), ["7: from_repo.rpmlst: unknown option (did you mean rpmlist?)"]),
    (repo('"kernel"', '"kernel", ""'), (), [f'6: from_repo.rpmlist[1]: expected {NAME}, found ""']),
    (
        repo('"kernel"', '\n"kernel",\n"-x", # no\n"a b",\n"ok", 3'),
        (),
        [
            f'8: from_repo.rpmlist[1]: expected {NAME}, found "-x"',
            f"10: from_repo.rpmlist[4]: expected {NAME}, found 3",
        ],
    ),
    (
        repo('["kernel"]', "[]"),
        (),
        [
            "6: from_repo.rpmlist: expected a list of package names that is not empty, "
            "found an empty list"
        ],
    ),
    (
        repo('["kernel"]', '"kernel"'),
        (),
        [
            '6: from_repo.rpmlist: expected a list of package names, found "kernel" '
            '(in brackets: ["one", "two"])'
        ],
    ),
    (
        repo('"kernel"', '"ker\\nnel"'),
        (),
        [f'6: from_repo.rpmlist[0]: expected {NAME}, found "ker\\nnel"'],
    ),
    (repo('"v1"', '""'), (), [f'5: from_repo.version: expected {VERSION}, found ""']),
    (repo('"v1"', "1"), (), [f"5: from_repo.version: expected {VERSION}, found 1"]),
    (repo('"v1"', '"v 1"'), (), [f'5: from_repo.version: expected {VERSION}, found "v 1"']),
    (repo('"v1"', "'v\"1'"), (), [f'5: from_repo.version: expected {VERSION}, found "v"1"']),
    (
        repo('"$6$salt$hash"', '"secret"'),
        (),
        [f"4: from_repo.root_passwd: expected {HASH}, found text of 6 characters"],
    ),
    (
        repo('"$6$salt$hash"', '""'),
        (),
        [f"4: from_repo.root_passwd: expected {HASH}, found empty text"],
    ),
    (
        repo('"$6$salt$hash"', '"$6$salt$ha:sh"'),
        (),
        [f"4: from_repo.root_passwd: expected {HASH}, found text of 13 characters"],
    ),
    (
        repo('"$6$salt$hash"', "1979-05-27"),
        (),
        [f"4: from_repo.root_passwd: expected {HASH}, found a date or time"],
    ),
    (repo('"agent"', '""'), (), ['2: from_repo.agent_path: expected a path, found ""']),
    (repo('"os.repo"', "[]"), (), ["3: from_repo.repo_path: expected a path, found an empty list"]),
    (
        REPO + "legacy_bios = 'no'\n",
        (),
        ['7: from_repo.legacy_bios: expected true or false, found "no"'],
    ),
    (REPO + "legacy_bios = 0\n", (), ["7: from_repo.legacy_bios: expected true or false, found 0"]),
    (
        REPO + "upgrade_img = 'Upper:v1'\n",
        (),
        [
            f'7: from_repo.upgrade_img: expected {IMAGE}, found "Upper:v1" '
            "(capitals are for tags only)"
        ],
    ),
    (
        REPO + "upgrade_img = 'a:'\n",
        (),
        [f'7: from_repo.upgrade_img: expected {IMAGE}, found "a:"'],
    ),
    (
        REPO + "upgrade_img = '-a'\n",
        (),
        [f'7: from_repo.upgrade_img: expected {IMAGE}, found "-a"'],
    ),
    # What goes together.
    (
        REPO + "[from_dockerimg]\nupgrade_img = 'a:1'\n",
        (),
        ["7: from_dockerimg: excludes from_repo: keep one of the two"],
    ),
    (
        "[from_dockerimg]\n",
        (),
        [
            "1: from_dockerimg: needs upgrade_img, the name of an image in the "
            "container engine, or "
            "archive, a file with one"
        ],
    ),
    (
        "[from_dockerimg]\nlegacy_bios = true\n",
        (),
        [
            "1: from_dockerimg: needs upgrade_img, the name of an image in the "
            "container engine, or "
            "archive, a file with one"
        ],
    ),
    (
        "[admin_container]\nimg_name = 'a:1'\nhostshell = 'h'\nbase_image = 'Upper'\n",
        (),
        [
            f'4: admin_container.base_image: expected {IMAGE}, found "Upper" '
            "(capitals are for tags only)"
        ],
    ),
    (
        "[from_dockerimg]\narchive = ''\n",
        (),
        ['2: from_dockerimg.archive: expected a path, found ""'],
    ),
    (
        "[from_dockerimg]\nupgrade_img = 3\n",
        (),
        [f"2: from_dockerimg.upgrade_img: expected {IMAGE}, found 3"],
    ),
    (
        "[from_dockerimg]\nupgrade_img = 'a:1'\n[systemd_service]\nname = ['a']\n",
        (),
        [f"3: systemd_service: {AS_IT_IS}"],
    ),
    (
        REPO + "[dm_verity]\nefi_key = 'a'\ngrub_key = 'b'\n",
        (),
        [f"7: dm_verity: {NO_MENU_PASSWORD}"],
    ),
    (
        REPO + "legacy_bios = true\n[grub]\npasswd = 'x'\n[dm_verity]\nefi_key = 'a'\n"
        "grub_key = 'b'\n",
        (),
        [
            "7: from_repo.legacy_bios: expected false with dm_verity, found true: the chain of "
            "trust begins with UEFI's Secure Boot"
        ],
    ),
    (
        "[from_dockerimg]\nupgrade_img = 'a:1'\n[grub]\npasswd = 'x'\n[dm_verity]\nefi_key = 'a'\n"
        "grub_key = 'b'\n",
        (),
        [
            f"3: grub: {AS_IT_IS}",
            "5: dm_verity: excludes from_dockerimg: the upgrade image's root tree was "
            "made, and signed, elsewhere",
        ],
    ),
    (
        REPO + PXE + "[grub]\npasswd = 'x'\n[dm_verity]\nefi_key = 'a'\ngrub_key = 'b'\n",
        ("pxe_img",),
        ["15: dm_verity: excludes pxe_img: dm-verity is for virtual machines"],
    ),
    (
        "[dm_verity]\nefi_key = ''\ngrub_key = 'b'\n[grub]\npasswd = 'x'\n",
        (),
        ["2: dm_verity.efi_key: expected a password on one line, found empty text"],
    ),
    (
        "[dm_verity]\nefi_key = 'a'\n[grub]\npasswd = 7\n",
        (),
        [
            "1: dm_verity: the option grub_key is missing",
            "4: grub.passwd: expected a password on one line, found a number",
        ],
    ),
    # What one image needs.
    ("", ("vm_img",), ["vm_img needs a table [from_repo] or [from_dockerimg]"]),
    ("", ("upgrade_img",), ["upgrade_img needs a table [from_repo]"]),
    ("", ("admin_container",), ["admin_container needs a table [admin_container]"]),
    (REPO, ("pxe_img",), ["pxe_img needs a table [pxe_config]"]),
    (
        REPO,
        ("upgrade_img",),
        ["1: from_repo: the option upgrade_img is missing, which upgrade_img needs"],
    ),
    (
        repo('"agent"', '"none"'),
        ("vm_img",),
        [
            "2: from_repo.agent_path: expected a file, found none "
            "(tried @START@/none and @CONFIG@/none)"
        ],
    ),
    (
        repo('"agent"', '"/"'),
        ("vm_img",),
        ["2: from_repo.agent_path: expected a file, found none (tried / [a directory])"],
    ),
    (
        repo('"kernel"', '"kernel", "./no.rpm"'),
        ("vm_img",),
        [
            "6: from_repo.rpmlist[1]: expected a file, found none "
            "(tried @START@/no.rpm and @CONFIG@/no.rpm)"
        ],
    ),
    (
        REPO + "[[copy_files]]\nsrc = 'none'\ndst = '/x'\n",
        ("vm_img",),
        [
            "8: copy_files[0].src: expected a file or directory, found none "
            "(tried @START@/none and @CONFIG@/none)"
        ],
    ),
    (
        REPO + "[chroot_script]\npath = 'none'\n",
        ("vm_img",),
        [
            "8: chroot_script.path: expected a file, found none "
            "(tried @START@/none and @CONFIG@/none)"
        ],
    ),
    (
        "[admin_container]\nimg_name = 'a:1'\nhostshell = 'none'\n",
        ("admin_container",),
        [
            "3: admin_container.hostshell: expected a program, found none "
            "(tried @START@/none and @CONFIG@/none)"
        ],
    ),
    (
        REPO + "[grub]\npasswd = 'x'\n[dm_verity]\nefi_key = 'a'\ngrub_key = 'b'\n"
        "keys_dir = 'agent'\n",
        ("vm_img",),
        [
            "12: dm_verity.keys_dir: expected a directory, found none "
            "(tried @START@/agent and @CONFIG@/agent [no directory])"
        ],
    ),
    # admin_container.
    (
        "[admin_container]\nimg_name = 'a b'\n",
        (),
        [
            "1: admin_container: the option hostshell is missing",
            f'2: admin_container.img_name: expected {IMAGE}, found "a b"',
        ],
    ),
    # pxe_config.
    (
        pxe('"10.0.0.1"', '"10.0.0"'),
        (),
        [f'2: pxe_config.server_ip: expected {ADDRESS}, found "10.0.0"'],
    ),
    (pxe('"10.0.0.2"', '"::1"'), (), [f'5: pxe_config.route_ip: expected {ADDRESS}, found "::1"']),
    (pxe('"10.0.0.2"', "10"), (), [f"5: pxe_config.route_ip: expected {ADDRESS}, found 10"]),
    (
        pxe('"kubeos.tar"', '"a/b"'),
        (),
        ['3: pxe_config.rootfs_name: expected the name of a file, without a folder, found "a/b"'],
    ),
    (pxe('"/dev/vda"', '"vda"'), (), [f'4: pxe_config.disk: expected {DISK}, found "vda"']),
    (pxe('"/dev/vda"', '"/dev/"'), (), [f'4: pxe_config.disk: expected {DISK}, found "/dev/"']),
    (
        PXE + "local_ip = '10.0.0.3'\n",
        (),
        ["7: pxe_config.local_ip: contradicts dhcp = true: remove one of the two"],
    ),
    (
        pxe("dhcp = true", "dhcp = false"),
        (),
        [
            f"1: pxe_config: the option {name} is missing, which dhcp = false needs"
            for name in ("local_ip", "net_name", "netmask")
        ],
    ),
    (
        PXE + "netmask = '255.0.255.0'\n",
        (),
        [f'7: pxe_config.netmask: expected {MASK}, found "255.0.255.0"'],
    ),
    (
        PXE + "netmask = '0.0.0.0'\n",
        (),
        [f'7: pxe_config.netmask: expected {MASK}, found "0.0.0.0"'],
    ),
    (
        PXE + "net_name = 'a/b'\n",
        (),
        ['7: pxe_config.net_name: expected the name of a network interface, found "a/b"'],
    ),
    (
        PXE + "net_name = '-abcdefghijklmnop'\n",
        (),
        [
            "7: pxe_config.net_name: expected the name of a network interface, "
            'found "-abcdefghijklmnop"'
        ],
    ),
    # users.
    ("[[users]]\nname = 'a'\n", (), ["1: users[0]: the option passwd is missing"]),
    (
        "[[users]]\nname = 'A'\npasswd = 'x'\n",
        (),
        [f'2: users[0].name: expected {USER}, found "A"'],
    ),
    (
        "[[users]]\nname = '-a'\npasswd = 'x'\n",
        (),
        [f'2: users[0].name: expected {USER}, found "-a"'],
    ),
    (
        "[[users]]\nname = 'root'\npasswd = 'x'\n",
        (),
        [
            '2: users[0].name: expected another user than "root", whose password is '
            "from_repo.root_passwd"
        ],
    ),
    (
        "[[users]]\nname = 'a'\npasswd = 'x'\n[[users]]\nname = 'a'\npasswd = 'y'\n",
        (),
        ['5: users[1].name: expected each user once, found "a" again, as in users[0]'],
    ),
    (
        "[[users]]\nname = 'a'\npasswd = 'x\ty'\n",
        (),
        ["3: users[0].passwd: expected a password on one line, found text of 3 characters"],
    ),
    (
        "[[users]]\nname = 'a'\npasswd = 'x'\ngroups = 'wheel'\n",
        (),
        [
            '4: users[0].groups: expected a list of group names, found "wheel" '
            '(in brackets: ["one", "two"])'
        ],
    ),
    (
        "[[users]]\nname = 'a'\npasswd = 'x'\ngroups = ['wheel', 'a,b']\n",
        (),
        [f'4: users[0].groups[1]: expected {GROUP}, found "a,b"'],
    ),
    (
        "[[users]]\nname = 'a'\npasswd = 'x'\nprimary_group = 'a'\nprimary_groups = 'b'\n",
        (),
        ["5: users[0].primary_groups: given twice, as primary_group and as primary_groups"],
    ),
    # copy_files.
    ("[[copy_files]]\nsrc = 'a'\n", (), ["1: copy_files[0]: the option dst is missing"]),
    (
        "[[copy_files]]\nsrc = 'a'\ndst = 'etc'\n",
        (),
        [f'3: copy_files[0].dst: expected {TREE}, found "etc"'],
    ),
    (
        "[[copy_files]]\nsrc = 'a'\ndst = '/etc/../../x'\n",
        (),
        [f'3: copy_files[0].dst: expected {TREE}, found "/etc/../../x"'],
    ),
    (
        "[[copy_files]]\nsrc = 'a'\ndst = '/x'\ncreate_dir = '..'\n",
        (),
        [f'4: copy_files[0].create_dir: expected {TREE}, found ".."'],
    ),
    (
        "[[copy_files]]\nsrc = 'a'\ndst = '/x'\nmode = 644\n",
        (),
        [f"4: copy_files[0].mode: expected {MODE}, found 644"],
    ),
    (
        "[[copy_files]]\nsrc = 'a'\ndst = '/x'\nmode = '0888'\n",
        (),
        [f'4: copy_files[0].mode: expected {MODE}, found "0888"'],
    ),
    (
        "[[copy_files]]\nsrc = 'a'\ndst = '/x'\nowner = 'a:b:c'\n",
        (),
        [f'4: copy_files[0].owner: expected {OWNER}, found "a:b:c"'],
    ),
    # The rest.
    (
        "[systemd_service]\nname = 'x'\n",
        (),
        [
            '2: systemd_service.name: expected a list of names of systemd units, found "x" '
            '(in brackets: ["one", "two"])'
        ],
    ),
    (
        "[systemd_service]\nname = ['../x']\n",
        (),
        [f'2: systemd_service.name[0]: expected {UNIT}, found "../x"'],
    ),
    (
        "[systemd_service]\nname = ['--now']\n",
        (),
        [f'2: systemd_service.name[0]: expected {UNIT}, found "--now"'],
    ),
    (
        "[chroot_script]\npath = 'x'\nrm = 'true'\n",
        (),
        ['3: chroot_script.rm: expected true or false, found "true" (without quotes)'],
    ),
    (
        "[persist_mkdir]\nname = ['/a', '../b', '-c', '.', 'ok']\n",
        (),
        [
            f'2: persist_mkdir.name[{index}]: expected {PERSIST}, found "{name}"'
            for index, name in enumerate(("/a", "../b", "-c", "."))
        ],
    ),
    (
        "[disk_partition]\nroot = '2560'\n",
        (),
        [
            "2: disk_partition.root: expected a whole number of MiB from 256 to 16777216, "
            'found "2560" (without quotes)'
        ],
    ),
    (
        "[disk_partition]\nimg_size = true\n",
        (),
        ["2: disk_partition.img_size: expected a whole number of GiB from 1 to 16384, found true"],
    ),
    (
        "[disk_partition]\nimg_size = -1\n",
        (),
        ["2: disk_partition.img_size: expected a whole number of GiB from 1 to 16384, found -1"],
    ),
    (
        "[disk_partition]\nroot = 2560\nimg_size = 7\n",
        (),
        [
            "1: disk_partition: expected partitions that fit img_size = 7 GiB "
            "(7168 MiB): two slots of "
            "root = 2560 MiB and the other partitions take 5180 MiB, which leaves "
            "1987 MiB for PERSIST; "
            "it needs 2100 MiB"
        ],
    ),
    (
        "[disk_partition]\nrot = 1\n",
        (),
        ["2: disk_partition.rot: unknown option (did you mean root?)"],
    ),
    # All at once: a mistake in a table hides no other one.
    (
        "[pxe_config]\nserver_ip = 1\n[[users]]\nname = 'root'\n",
        (),
        [
            *(
                f"1: pxe_config: the option {name} is missing"
                for name in ("rootfs_name", "disk", "route_ip")
            ),
            *(
                f"1: pxe_config: the option {name} is missing, which dhcp = false needs"
                for name in ("local_ip", "net_name", "netmask")
            ),
            f"2: pxe_config.server_ip: expected {ADDRESS}, found 1",
            "3: users[0]: the option passwd is missing",
            '4: users[0].name: expected another user than "root", whose password is '
            "from_repo.root_passwd",
        ],
    ),
    (
        pxe("dhcp = true", "dhcp = 'true'"),
        (),
        ['6: pxe_config.dhcp: expected true or false, found "true" (without quotes)'],
    ),
    # Names that are nearly right, and options in the wrong place.
    (
        repo("rpmlist", "rpmlst"),
        (),
        ["6: from_repo.rpmlst: unknown option (did you mean rpmlist?)"],
    ),
    (
        repo("agent_path", "Agent-Path"),
        (),
        ["2: from_repo.Agent-Path: unknown option (did you mean agent_path?)"],
    ),
    (
        "[[copy-files]]\nsrc = 'a'\n",
        (),
        ["1: copy-files: unknown table (did you mean copy_files?)"],
    ),
    ("rpmlist = []\n", (), ["1: rpmlist: option outside of a table (belongs below [from_repo])"]),
    ("rm = true\n", (), ["1: rm: option outside of a table (belongs below [chroot_script])"]),
    (
        "passwd = 'hunter2'\n",
        (),
        ["1: passwd: option outside of a table (belongs below [grub] or [[users]])"],
    ),
    (
        REPO + "[from_repo.users]\nname = 'a'\n",
        (),
        ["7: from_repo.users: unknown option (a table of its own: [[users]])"],
    ),
    (
        REPO + "[from_repo.grub]\npasswd = 'a'\n",
        (),
        ["7: from_repo.grub: unknown option (a table of its own: [grub])"],
    ),
    ("[grub]\npasswd = 'a'\n\"odd \\n key\" = 1\n", (), ['3: grub."odd \\n key": unknown option']),
    (
        "[from_repo.rpmlist]\nx = 1\n",
        (),
        [
            *(
                f"1: from_repo: the option {name} is missing"
                for name in ("agent_path", "repo_path", "root_passwd", "version")
            ),
            "1: from_repo.rpmlist: expected a list of package names, found a table",
        ],
    ),
    (
        "[[users]]\nname = 'a'\npasswd = 'x'\n[users.more]\ny = 1\n",
        (),
        ["4: users[0].more: unknown option"],
    ),
    # A secret is not shown wherever it stands.
    (
        "grub = 'hunter2'\n",
        (),
        ["1: grub: expected one table headed [grub], found text of 7 characters"],
    ),
    ("users = ['hunter2']\n", (), ["1: users[0]: expected a table, found text of 7 characters"]),
    (
        "[grub]\npasswd = 1234567\n",
        (),
        ["2: grub.passwd: expected a password on one line, found a number"],
    ),
    (
        "[grub]\npasswd = ['hunter2']\n",
        (),
        ["2: grub.passwd: expected a password on one line, found a list"],
    ),
    (
        "[grub]\npasswd = {hunter2 = 1}\n",
        (),
        ["2: grub.passwd: expected a password on one line, found a table"],
    ),
    (
        "[grub]\npasswd = true\n",
        (),
        ["2: grub.passwd: expected a password on one line, found true or false"],
    ),
    (
        "[grub]\npasswd = '   '\n",
        (),
        ["2: grub.passwd: expected a password on one line, found text of 3 characters"],
    ),
    (
        '[grub]\npasswd = "a\\u0000b"\n',
        (),
        ["2: grub.passwd: expected a password on one line, found text of 3 characters"],
    ),
    (
        '[grub]\npasswd = """\na\nb"""\n',
        (),
        ["2: grub.passwd: expected a password on one line, found text of 3 characters"],
    ),
    # Hashes of no known method, and what is not a hash.
    *(
        (
            repo("$6$salt$hash", hash_),
            (),
            [f"4: from_repo.root_passwd: expected {HASH}, found text of {len(hash_)} characters"],
        )
        for hash_ in ("$9$salt$hash", "openEuler12#$", "$6$salt$ha sh", "$6$sält$hash", "$6$", "!x")
    ),
    # Values of every wrong kind.
    (
        repo('["kernel"]', "{a = 1}"),
        (),
        ["6: from_repo.rpmlist: expected a list of package names, found a table"],
    ),
    (
        repo('"kernel"', '["kernel"]'),
        (),
        [f"6: from_repo.rpmlist[0]: expected {NAME}, found a list"],
    ),
    *(
        (
            repo('"kernel"', f'"{name}"'),
            (),
            [f'6: from_repo.rpmlist[0]: expected {NAME}, found "{name}"'],
        )
        for name in ("--setopt=x", " kernel", "kernel ", "@", "a\\u007fb", "a\\u2028b", "a\\u0000b")
    ),
    (repo('"v1"', "07:32:00"), (), [f"5: from_repo.version: expected {VERSION}, found 07:32:00"]),
    (repo('"v1"', "nan"), (), [f"5: from_repo.version: expected {VERSION}, found nan"]),
    (
        repo('"v1"', "0x" + "f" * 9000),
        (),
        [f"5: from_repo.version: expected {VERSION}, found integer out of range"],
    ),
    (
        repo('"v1"', f'"{"v" * 65}"'),
        (),
        [f'5: from_repo.version: expected {VERSION}, found "{"v" * 60}…"'],
    ),
    (repo('"v1"', '"-v1"'), (), [f'5: from_repo.version: expected {VERSION}, found "-v1"']),
    (repo('"v1"', '"v1\\n"'), (), [f'5: from_repo.version: expected {VERSION}, found "v1\\n"']),
    (repo('"agent"', '" "'), (), ['2: from_repo.agent_path: expected a path, found " "']),
    (
        repo('"agent"', '"a\\u0000b"'),
        (),
        ['2: from_repo.agent_path: expected a path, found "a\\u0000b"'],
    ),
    # Container images.
    *(
        (
            REPO + f"upgrade_img = '{name}'\n",
            (),
            [f'7: from_repo.upgrade_img: expected {IMAGE}, found "{name}"'],
        )
        for name in (
            "",
            "a b",
            "a:b:c",
            "/a",
            "a/",
            "a//b",
            "a__-b",
            "a:-x",
            "a:v1 ",
            "a@sha256:1",
            "http://x/a",
        )
    ),
    (
        REPO + f"upgrade_img = '{'a' * 256}'\n",
        (),
        [f'7: from_repo.upgrade_img: expected {IMAGE}, found "{"a" * 60}…"'],
    ),
    (
        REPO + f"upgrade_img = '{'a' * 64}'\n",
        (),
        [f'7: from_repo.upgrade_img: expected {IMAGE}, found "{"a" * 60}…"'],
    ),
    (
        REPO + f"upgrade_img = 'a:{'v' * 129}'\n",
        (),
        [f'7: from_repo.upgrade_img: expected {IMAGE}, found "a:{"v" * 58}…"'],
    ),
    (
        REPO + f"upgrade_img = 'a@sha256:{'0' * 64}'\n",
        (),
        [
            "7: from_repo.upgrade_img: expected a container image's name without a digest, such as "
            f'"kubeos-upgrade:v1", found "a@sha256:{"0" * 51}…"'
        ],
    ),
    # More of what goes together.
    ("", (), ["expected tables such as [from_repo], found an empty file"]),
    ("# nothing\n", (), ["expected tables such as [from_repo], found an empty file"]),
    (
        REPO + "legacy_bios = true\nupgrade_img = 'a:1'\n" + PXE,
        ("pxe_img", "upgrade_img", "vm_img"),
        [
            "7: from_repo.legacy_bios: upgrade_img and vm_img would be for legacy "
            "BIOS and pxe_img is "
            "for UEFI: build them by two commands, with an out= each"
        ],
    ),
    (
        "[from_dockerimg]\nupgrade_img = 'a:1'\n",
        ("upgrade_img",),
        ["upgrade_img needs a table [from_repo]"],
    ),
    (
        PXE,
        ("vm_img", "pxe_img", "admin_container"),
        [
            "vm_img needs a table [from_repo] or [from_dockerimg]",
            "pxe_img needs a table [from_repo] or [from_dockerimg]",
            "admin_container needs a table [admin_container]",
        ],
    ),
    (
        REPO + "[dm_verity]\n",
        (),
        [
            "7: dm_verity: the option efi_key is missing",
            "7: dm_verity: the option grub_key is missing",
            f"7: dm_verity: {NO_MENU_PASSWORD}",
        ],
    ),
    # Files.
    (
        repo('"agent"', f'"{"a" * 300}"'),
        ("vm_img",),
        [
            "2: from_repo.agent_path: expected a file, found none "
            f"(tried @START@/{'a' * 300} and @CONFIG@/{'a' * 300})"
        ],
    ),
    (
        repo('"os.repo"', '"~/x.repo"'),
        ("vm_img",),
        [
            "3: from_repo.repo_path: expected a file, found none "
            "(tried @START@/~/x.repo and @CONFIG@/~/x.repo)"
        ],
    ),
    (
        repo('"kernel"', '"kernel*.rpm"'),
        ("pxe_img",),
        [
            "pxe_img needs a table [pxe_config]",
            "6: from_repo.rpmlist[0]: expected a file, found none "
            "(tried @START@/kernel*.rpm and @CONFIG@/kernel*.rpm)",
        ],
    ),
    (
        repo('"kernel"', '"", "no.rpm"'),
        ("vm_img",),
        [
            f'6: from_repo.rpmlist[0]: expected {NAME}, found ""',
            "6: from_repo.rpmlist[1]: expected a file, found none "
            "(tried @START@/no.rpm and @CONFIG@/no.rpm)",
        ],
    ),
    # Addresses, disks and names of the network.
    *(
        (
            pxe('"10.0.0.1"', f'"{address}"'),
            (),
            [f'2: pxe_config.server_ip: expected {ADDRESS}, found "{address}"'],
        )
        for address in (
            "256.0.0.1",
            "10.0.0.1/24",
            "10.0.0.01",
            "10.0.0.1:80",
            "host.example",
            " 10.0.0.1",
            "",
        )
    ),
    *(
        (
            pxe('"/dev/vda"', f'"{disk}"'),
            (),
            [f'4: pxe_config.disk: expected {DISK}, found "{disk}"'],
        )
        for disk in ("/dev/../etc/passwd", "/dev/vda/", "/dev/vda b", "/dev/$(id)", "")
    ),
    *(
        (
            pxe('"kubeos.tar"', f'"{name}"'),
            (),
            [
                "3: pxe_config.rootfs_name: expected the name of a file, without a folder, "
                f'found "{name}"'
            ],
        )
        for name in ("", "..", "-x", "a b", "a?b", "kubeos.tar;id")
    ),
    *(
        (
            PXE + f"net_name = '{name}'\n",
            (),
            [f'7: pxe_config.net_name: expected the name of a network interface, found "{name}"'],
        )
        for name in ("", "eth 0", "eth0;id", "abcdefghijklmnop", "..")
    ),
    *(
        (
            PXE + f"netmask = '{mask}'\n",
            (),
            [f'7: pxe_config.netmask: expected {MASK}, found "{mask}"'],
        )
        for mask in ("24", "0.0.0.255", "255.255.255.1", "255.255.255.256")
    ),
    (
        PXE + "local_ip = '10.0.0.3'\nnet_name = 'eth0'\nnetmask = '255.255.255.0'\n",
        (),
        [
            f"{line}: pxe_config.{name}: contradicts dhcp = true: remove one of the two"
            for line, name in ((7, "local_ip"), (8, "net_name"), (9, "netmask"))
        ],
    ),
    # Users and owners.
    *(
        (
            f"[[users]]\nname = '{name}'\npasswd = 'x'\n",
            (),
            [f'2: users[0].name: expected {USER}, found "{name}"'],
        )
        for name in ("", "1a", "a b", "a:b", "é", "a" * 33)
    ),
    (
        "[[users]]\nname = 'a'\npasswd = 'x'\nprimary_groups = ['a']\n",
        (),
        [f"4: users[0].primary_groups: expected {GROUP}, found a list"],
    ),
    (
        "[[users]]\nname = 'a'\npasswd = 'x'\nprimary_group = '-g'\n",
        (),
        [f'4: users[0].primary_group: expected {GROUP}, found "-g"'],
    ),
    *(
        (
            f"[[copy_files]]\nsrc = 'a'\ndst = '/x'\nowner = '{owner}'\n",
            (),
            [f'4: copy_files[0].owner: expected {OWNER}, found "{owner}"'],
        )
        for owner in ("", "-x", "a:", ":a", "a b")
    ),
    *(
        (
            f"[[copy_files]]\nsrc = 'a'\ndst = '/x'\nmode = '{mode}'\n",
            (),
            [f'4: copy_files[0].mode: expected {MODE}, found "{mode}"'],
        )
        for mode in ("", "u+x", "0o644", "00644x", "64")
    ),
    (
        "[[copy_files]]\nsrc = ''\ndst = ''\n",
        (),
        [
            '2: copy_files[0].src: expected a path, found ""',
            f'3: copy_files[0].dst: expected {TREE}, found ""',
        ],
    ),
    (
        f"[[copy_files]]\nsrc = 'a'\ndst = '/{'x' * 256}'\n",
        (),
        [f'3: copy_files[0].dst: expected {TREE}, found "/{"x" * 59}…"'],
    ),
    # Units and directories.
    *(
        (
            f"[systemd_service]\nname = ['ok', '{name}']\n",
            (),
            [f'2: systemd_service.name[1]: expected {UNIT}, found "{name}"'],
        )
        for name in ("", "a b", "/etc/x.service", ".service", "a;b")
    ),
    *(
        (
            f"[persist_mkdir]\nname = ['{name}']\n",
            (),
            [f'2: persist_mkdir.name[0]: expected {PERSIST}, found "{name}"'],
        )
        for name in ("", "a/../b", "./", "..")
    ),
    # Sizes.
    (
        "[disk_partition]\nroot = 2560.0\n",
        (),
        [
            "2: disk_partition.root: expected a whole number of MiB from 256 to 16777216, "
            "found 2560.0"
        ],
    ),
    (
        "[disk_partition]\nroot = 0\nimg_size = 0\n",
        (),
        [
            "2: disk_partition.root: expected a whole number of MiB from 256 to 16777216, found 0",
            "3: disk_partition.img_size: expected a whole number of GiB from 1 to 16384, found 0",
        ],
    ),
    (
        VERITY + "[disk_partition]\nimg_size = 7\n",
        (),
        [
            "12: disk_partition: expected partitions that fit img_size = 7 GiB "
            "(7168 MiB): two slots of "
            "root = 2560 MiB and the other partitions take 5495 MiB, which leaves "
            "1672 MiB for PERSIST; "
            "it needs 2100 MiB"
        ],
    ),
    (
        REPO + "legacy_bios = true\n[disk_partition]\nimg_size = 3000\n",
        (),
        [
            "8: disk_partition: expected at most img_size = 2048 with legacy BIOS, "
            "found img_size = 3000"
        ],
    ),
]


def test_there_are_enough():
    assert len(BAD) >= 60


def put(start: Path, text: str) -> None:
    """A configuration and its files, in a folder below the start directory."""
    folder = start / "config"
    folder.mkdir()
    (folder / "kbimg.toml").write_text(text, encoding="utf-8")
    (folder / "agent").touch()
    (folder / "os.repo").write_text("[a]\nbaseurl = http://example.org/\n")


@pytest.mark.parametrize(("text", "images", "messages"), BAD, ids=[row[2][0][:60] for row in BAD])
def test_bad_file(text, images, messages, tmp_path: Path):
    put(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(Path("config/kbimg.toml"), tmp_path, [KINDS[image] for image in images])
    places = {"@START@": str(tmp_path), "@CONFIG@": str(tmp_path / "config")}
    wanted = []
    for message in messages:
        for mark, place in places.items():
            message = message.replace(mark, place)
        gap = "" if message[0].isdigit() else " "
        wanted.append(f"config/kbimg.toml:{gap}{message}")
    assert str(caught.value).splitlines() == wanted
    assert "hunter2" not in repr(caught.value.problems)


# What only kbimg tells: how tables go together, files, and what is one thing to JSON (2560 and
# 2560.0). A row with other messages is refused by the schema too.
BEYOND_A_SCHEMA = (
    "excludes",
    "contradicts",
    "needs ",
    "(tried ",
    ", which ",
    "expected partitions that",
    "expected false with",
    "would be for",
    "an empty file",
    "another user than",
    "each user once",
    "expected at most",
    "found 2560.0",
    f'found "/{"x" * 59}…"',
)
# Python has another $, and no words for some numbers.
BEYOND_A_VALIDATOR = ("byte order mark", "integer out of range", 'found "v1\\n"')


@pytest.mark.parametrize(("text", "images", "messages"), BAD, ids=[row[2][0][:60] for row in BAD])
def test_the_schema_refuses_what_it_can(text, images, messages):
    is_beyond = all(any(words in message for words in BEYOND_A_SCHEMA) for message in messages)
    if any(words in messages[0] for words in BEYOND_A_VALIDATOR):
        return
    import jsonschema  # takes seconds: not for every worker to load

    is_valid = jsonschema.Draft202012Validator(schema()).is_valid(tomli.loads(text))
    assert is_valid == is_beyond


def test_a_bad_repository_file_is_told_with_the_rest(tmp_path: Path):
    put(tmp_path, repo('"v1"', '""'))
    (tmp_path / "config/os.repo").write_text("[a]\n")
    with pytest.raises(ConfigError) as caught:
        load(Path("config/kbimg.toml"), tmp_path, (KINDS["vm_img"],))
    assert str(caught.value).splitlines() == [
        f'config/kbimg.toml:5: from_repo.version: expected {VERSION}, found ""',
        "config/os.repo:1: [a]: expected one of baseurl, mirrorlist and metalink, found none",
    ]


def test_files_are_asked_for_by_the_images_that_read_them(tmp_path: Path):
    put(
        tmp_path,
        repo('"agent"', '"none"').replace('"os.repo"', '"none"')
        + "[admin_container]\nimg_name = 'a:1'\nhostshell = '/usr/bin/env'\n",
    )
    config = load(Path("config/kbimg.toml"), tmp_path, (KINDS["admin_container"],))
    assert config.from_repo.agent_path == tmp_path / "none"
    assert config.admin_container.hostshell == Path("/usr/bin/env")
