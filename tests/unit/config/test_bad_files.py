"""Bad configurations and the whole of what is said about each."""

from __future__ import annotations

from pathlib import Path

import pytest

from kbimg_tasks.config.errors import ConfigError
from kbimg_tasks.config.load import load

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
NAME = "a package name"
VERSION = "a version of letters, digits and . _ + ~ ^ -"
HASH = "a password hash as in /etc/shadow (openssl passwd -6)"
IMAGE = 'a container image\'s name such as "kubeos-upgrade:v1"'
ADDRESS = 'an IPv4 address such as "192.168.1.10"'
MASK = 'an IPv4 netmask such as "255.255.255.0"'
TREE = "an absolute path of the image without .."
PERSIST = "the name of a directory on PERSIST, relative and without .."
UNIT = "the name of a systemd unit"
USER = "a user name (a to z, 0 to 9, _ and -)"
GROUP = "a group name (a to z, 0 to 9, _ and -)"
DISK = 'a disk such as "/dev/vda"'
MODE = 'an octal mode such as "0644"'
OWNER = 'an owner such as "root" or "root:wheel"'


def repo(old: str, new: str) -> str:
    assert old in REPO
    return REPO.replace(old, new)


def pxe(old: str, new: str) -> str:
    assert old in PXE
    return PXE.replace(old, new)


# Text, images, messages after `kbimg.toml:`.
BAD = [
    ("\ufeff" + REPO, (), ["1: expected TOML, found a byte order mark before it; "
                           "save as UTF-8 without BOM"]),
    # Tables.
    ("[from_repos]\n", (), ["1: from_repos: no such table; did you mean from_repo?"]),
    ("x = 1\n", (), ["1: x: no such table"]),
    ("from_repo = 3\n", (), ["1: from_repo: expected one table headed [from_repo], found 3"]),
    ("[[from_repo]]\n", (), ["1: from_repo: expected one table headed [from_repo], found a list"]),
    ("[users]\nname = 'a'\n", (), ["1: users: expected tables headed [[users]], found a table"]),
    ("copy_files = 'x'\n", (), ['1: copy_files: expected tables headed [[copy_files]], '
                                'found "x"']),
    ("users = [1]\n", (), ["1: users[0]: expected one table headed [users], found 1"]),
    ("grub = 'x'\n", (), ['1: grub: expected one table headed [grub], found "x"']),
    # from_repo.
    ("[from_repo]\n", (), [f"1: from_repo: the option {name} is missing" for name in (
        "agent_path", "repo_path", "root_passwd", "version", "rpmlist")]),
    (REPO + "rpmlst = []\n", (), ["7: from_repo.rpmlst: no such option; did you mean rpmlist?"]),
    (repo('"kernel"', '"kernel", ""'), (),
     [f'6: from_repo.rpmlist[1]: expected {NAME}, found ""']),
    (repo('"kernel"', '\n"kernel",\n"-x", # no\n"a b",\n"ok", 3'), (),
     [f'8: from_repo.rpmlist[1]: expected {NAME}, found "-x"',
      f"10: from_repo.rpmlist[4]: expected {NAME}, found 3"]),
    (repo('["kernel"]', "[]"), (),
     ["6: from_repo.rpmlist: expected a list of package names that is not empty, found a list"]),
    (repo('["kernel"]', '"kernel"'), (),
     ['6: from_repo.rpmlist: expected a list of package names, found "kernel"']),
    (repo('"kernel"', '"ker\\nnel"'), (),
     [f'6: from_repo.rpmlist[0]: expected {NAME}, found "ker\\nnel"']),
    (repo('"v1"', '""'), (), [f'5: from_repo.version: expected {VERSION}, found ""']),
    (repo('"v1"', "1"), (), [f"5: from_repo.version: expected {VERSION}, found 1"]),
    (repo('"v1"', '"v 1"'), (), [f'5: from_repo.version: expected {VERSION}, found "v 1"']),
    (repo('"v1"', "'v\"1'"), (), [f'5: from_repo.version: expected {VERSION}, found "v"1"']),
    (repo('"$6$salt$hash"', '"secret"'), (),
     [f"4: from_repo.root_passwd: expected {HASH}, found text of 6 characters"]),
    (repo('"$6$salt$hash"', '""'), (),
     [f"4: from_repo.root_passwd: expected {HASH}, found empty text"]),
    (repo('"$6$salt$hash"', '"$6$salt$ha:sh"'), (),
     [f"4: from_repo.root_passwd: expected {HASH}, found text of 13 characters"]),
    (repo('"$6$salt$hash"', "1979-05-27"), (),
     [f"4: from_repo.root_passwd: expected {HASH}, found 1979-05-27"]),
    (repo('"agent"', '""'), (), ['2: from_repo.agent_path: expected a path, found ""']),
    (repo('"agent"', '"-agent"'), (), ['2: from_repo.agent_path: expected a path, found "-agent"']),
    (repo('"os.repo"', "[]"), (), ["3: from_repo.repo_path: expected a path, found a list"]),
    (REPO + "legacy_bios = 'no'\n", (),
     ['7: from_repo.legacy_bios: expected true or false, found "no"']),
    (REPO + "legacy_bios = 0\n", (), ["7: from_repo.legacy_bios: expected true or false, found 0"]),
    (REPO + "upgrade_img = 'Upper:v1'\n", (),
     [f'7: from_repo.upgrade_img: expected {IMAGE}, found "Upper:v1"']),
    (REPO + "upgrade_img = 'a:'\n", (),
     [f'7: from_repo.upgrade_img: expected {IMAGE}, found "a:"']),
    (REPO + "upgrade_img = '-a'\n", (),
     [f'7: from_repo.upgrade_img: expected {IMAGE}, found "-a"']),
    # What goes together.
    (REPO + "[from_dockerimg]\nupgrade_img = 'a:1'\n", (),
     ["7: from_dockerimg: excludes from_repo: keep one of the two"]),
    ("[from_dockerimg]\n", (), ["1: from_dockerimg: the option upgrade_img is missing"]),
    (REPO + "[dm_verity]\nefi_key = 'a'\ngrub_key = 'b'\n", (),
     ["7: dm_verity: needs a table [grub] with passwd"]),
    (REPO + "legacy_bios = true\n[grub]\npasswd = 'x'\n[dm_verity]\nefi_key = 'a'\n"
     "grub_key = 'b'\n", (),
     ["7: from_repo.legacy_bios: expected false, as dm_verity demands, found true"]),
    ("[from_dockerimg]\nupgrade_img = 'a:1'\n[grub]\npasswd = 'x'\n[dm_verity]\nefi_key = 'a'\n"
     "grub_key = 'b'\n", (), ["5: dm_verity: excludes from_dockerimg"]),
    (REPO + PXE + "[grub]\npasswd = 'x'\n[dm_verity]\nefi_key = 'a'\ngrub_key = 'b'\n",
     ("pxe_img",), ["15: dm_verity: excludes pxe_img: dm-verity is for virtual machines"]),
    ("[dm_verity]\nefi_key = ''\ngrub_key = 'b'\n[grub]\npasswd = 'x'\n", (),
     ["2: dm_verity.efi_key: expected a password on one line, found empty text"]),
    ("[dm_verity]\nefi_key = 'a'\n[grub]\npasswd = 7\n", (),
     ["1: dm_verity: the option grub_key is missing",
      "4: grub.passwd: expected a password on one line, found 7"]),
    # What one image needs.
    ("", ("vm_img",), ["1: vm_img needs a table [from_repo] or [from_dockerimg]"]),
    ("", ("upgrade_img",), ["1: upgrade_img needs a table [from_repo]"]),
    ("", ("admin_container",), ["1: admin_container needs a table [admin_container]"]),
    (REPO, ("pxe_img",), ["1: pxe_img needs a table [pxe_config]"]),
    (REPO, ("upgrade_img",),
     ["1: from_repo: the option upgrade_img is missing, which upgrade_img needs"]),
    (repo('"agent"', '"none"'), ("vm_img",),
     ['2: from_repo.agent_path: expected a file, found none for "none"; '
      "looked at @START@/none and @CONFIG@/none"]),
    (repo('"agent"', '"/"'), ("vm_img",),
     ['2: from_repo.agent_path: expected a file, found none for "/"; looked at /']),
    (repo('"kernel"', '"kernel", "./no.rpm"'), ("vm_img",),
     ['6: from_repo.rpmlist[1]: expected a file, found none for "./no.rpm"; '
      "looked at @START@/no.rpm and @CONFIG@/no.rpm"]),
    (REPO + "[[copy_files]]\nsrc = 'none'\ndst = '/x'\n", ("vm_img",),
     ['8: copy_files[0].src: expected a file or directory, found none for "none"; '
      "looked at @START@/none and @CONFIG@/none"]),
    (REPO + "[chroot_script]\npath = 'none'\n", ("vm_img",),
     ['8: chroot_script.path: expected a file, found none for "none"; '
      "looked at @START@/none and @CONFIG@/none"]),
    ("[admin_container]\nimg_name = 'a:1'\nhostshell = 'none'\n", ("admin_container",),
     ['3: admin_container.hostshell: expected a file, found none for "none"; '
      "looked at @START@/none and @CONFIG@/none"]),
    (REPO + "[grub]\npasswd = 'x'\n[dm_verity]\nefi_key = 'a'\ngrub_key = 'b'\n"
     "keys_dir = 'agent'\n", ("vm_img",),
     ['12: dm_verity.keys_dir: expected a directory, found none for "agent"; '
      "looked at @START@/agent and @CONFIG@/agent"]),
    # admin_container.
    ("[admin_container]\nimg_name = 'a b'\n", (),
     ["1: admin_container: the option hostshell is missing",
      f'2: admin_container.img_name: expected {IMAGE}, found "a b"']),
    # pxe_config.
    (pxe('"10.0.0.1"', '"10.0.0"'), (),
     [f'2: pxe_config.server_ip: expected {ADDRESS}, found "10.0.0"']),
    (pxe('"10.0.0.2"', '"::1"'), (), [f'5: pxe_config.route_ip: expected {ADDRESS}, found "::1"']),
    (pxe('"10.0.0.2"', "10"), (), [f"5: pxe_config.route_ip: expected {ADDRESS}, found 10"]),
    (pxe('"kubeos.tar"', '"a/b"'), (),
     ['3: pxe_config.rootfs_name: expected the name of a file, without a folder, found "a/b"']),
    (pxe('"/dev/vda"', '"vda"'), (), [f'4: pxe_config.disk: expected {DISK}, found "vda"']),
    (pxe('"/dev/vda"', '"/dev/"'), (), [f'4: pxe_config.disk: expected {DISK}, found "/dev/"']),
    (PXE + "local_ip = '10.0.0.3'\n", (),
     ["7: pxe_config.local_ip: contradicts dhcp = true: remove one of the two"]),
    (pxe("dhcp = true", "dhcp = false"), (), [
        f"1: pxe_config: the option {name} is missing, which dhcp = false needs"
        for name in ("local_ip", "net_name", "netmask")]),
    (PXE + "netmask = '255.0.255.0'\n", (),
     [f'7: pxe_config.netmask: expected {MASK}, found "255.0.255.0"']),
    (PXE + "netmask = '0.0.0.0'\n", (), [f'7: pxe_config.netmask: expected {MASK}, '
                                         'found "0.0.0.0"']),
    (PXE + "net_name = 'a/b'\n", (), ["7: pxe_config.net_name: expected the name of a network "
                                     'interface, found "a/b"']),
    (PXE + "net_name = '-abcdefghijklmnop'\n", (), [
        "7: pxe_config.net_name: expected the name of a network interface, "
        'found "-abcdefghijklmnop"']),
    # users.
    ("[[users]]\nname = 'a'\n", (), ["1: users[0]: the option passwd is missing"]),
    ("[[users]]\nname = 'A'\npasswd = 'x'\n", (),
     [f'2: users[0].name: expected {USER}, found "A"']),
    ("[[users]]\nname = '-a'\npasswd = 'x'\n", (),
     [f'2: users[0].name: expected {USER}, found "-a"']),
    ("[[users]]\nname = 'root'\npasswd = 'x'\n", (),
     ['2: users[0].name: expected another user than "root", whose password is '
      "from_repo.root_passwd"]),
    ("[[users]]\nname = 'a'\npasswd = 'x'\n[[users]]\nname = 'a'\npasswd = 'y'\n", (),
     ['5: users[1].name: expected each user once, found "a" again']),
    ("[[users]]\nname = 'a'\npasswd = 'x\ty'\n", (),
     ["3: users[0].passwd: expected a password on one line, found text of 3 characters"]),
    ("[[users]]\nname = 'a'\npasswd = 'x'\ngroups = 'wheel'\n", (),
     ['4: users[0].groups: expected a list of group names, found "wheel"']),
    ("[[users]]\nname = 'a'\npasswd = 'x'\ngroups = ['wheel', 'a,b']\n", (),
     [f'4: users[0].groups[1]: expected {GROUP}, found "a,b"']),
    ("[[users]]\nname = 'a'\npasswd = 'x'\nprimary_group = 'a'\nprimary_groups = 'b'\n", (),
     ["5: users[0].primary_groups: given twice, as primary_group and as primary_groups"]),
    # copy_files.
    ("[[copy_files]]\nsrc = 'a'\n", (), ["1: copy_files[0]: the option dst is missing"]),
    ("[[copy_files]]\nsrc = 'a'\ndst = 'etc'\n", (),
     [f'3: copy_files[0].dst: expected {TREE}, found "etc"']),
    ("[[copy_files]]\nsrc = 'a'\ndst = '/etc/../../x'\n", (),
     [f'3: copy_files[0].dst: expected {TREE}, found "/etc/../../x"']),
    ("[[copy_files]]\nsrc = 'a'\ndst = '/x'\ncreate_dir = '..'\n", (),
     [f'4: copy_files[0].create_dir: expected {TREE}, found ".."']),
    ("[[copy_files]]\nsrc = 'a'\ndst = '/x'\nmode = 644\n", (),
     [f"4: copy_files[0].mode: expected {MODE}, found 644"]),
    ("[[copy_files]]\nsrc = 'a'\ndst = '/x'\nmode = '0888'\n", (),
     [f'4: copy_files[0].mode: expected {MODE}, found "0888"']),
    ("[[copy_files]]\nsrc = 'a'\ndst = '/x'\nowner = 'a:b:c'\n", (),
     [f'4: copy_files[0].owner: expected {OWNER}, found "a:b:c"']),
    # The rest.
    ("[systemd_service]\nname = 'x'\n", (),
     ['2: systemd_service.name: expected a list of names of systemd units, found "x"']),
    ("[systemd_service]\nname = ['../x']\n", (),
     [f'2: systemd_service.name[0]: expected {UNIT}, found "../x"']),
    ("[systemd_service]\nname = ['--now']\n", (),
     [f'2: systemd_service.name[0]: expected {UNIT}, found "--now"']),
    ("[chroot_script]\npath = 'x'\nrm = 'true'\n", (),
     ['3: chroot_script.rm: expected true or false, found "true"']),
    ("[persist_mkdir]\nname = ['/a', '../b', '-c', '.', 'ok']\n", (),
     [f'2: persist_mkdir.name[{index}]: expected {PERSIST}, found "{name}"'
      for index, name in enumerate(("/a", "../b", "-c", "."))]),
    ("[disk_partition]\nroot = '2560'\n", (),
     ["2: disk_partition.root: expected a whole number of MiB from 64 to 16777216, "
      'found "2560"']),
    ("[disk_partition]\nimg_size = true\n", (),
     ["2: disk_partition.img_size: expected a whole number of GiB from 1 to 16384, found true"]),
    ("[disk_partition]\nimg_size = -1\n", (),
     ["2: disk_partition.img_size: expected a whole number of GiB from 1 to 16384, found -1"]),
    ("[disk_partition]\nroot = 2560\nimg_size = 7\n", (),
     ["1: disk_partition: expected partitions that fit img_size = 7 GiB (7168 MiB): two slots of "
      "root = 2560 MiB and what goes with them take 5180 MiB, which leaves 1987 MiB for PERSIST; "
      "it needs 2100 MiB"]),
    ("[disk_partition]\nrot = 1\n", (), ["2: disk_partition.rot: no such option; "
                                        "did you mean root?"]),
]


def test_there_are_enough():
    assert len(BAD) >= 60


@pytest.mark.parametrize(("text", "images", "messages"), BAD,
                         ids=[text[2][0][:60] for text in BAD])
def test_bad_file(text, images, messages, tmp_path: Path):
    start, folder = tmp_path / "start", tmp_path / "config"
    start.mkdir()
    folder.mkdir()
    (folder / "kbimg.toml").write_text(text, encoding="utf-8")
    (folder / "agent").touch()
    (folder / "os.repo").write_text("[a]\nbaseurl = http://example.org/\n")
    with pytest.raises(ConfigError) as caught:
        load(folder / "kbimg.toml", start, images)
    prefix = f"{folder}/kbimg.toml:"
    wanted = [prefix + message.replace("@START@", str(start)).replace("@CONFIG@", str(folder))
              for message in messages]
    assert str(caught.value).splitlines() == wanted


@pytest.mark.parametrize(("content", "message"), [
    (None, "no such configuration file; name one with config=FILE"),
    (b"[from_repo", "kbimg.toml:1: not TOML: "),
    (b"a = 1\nb = ", "kbimg.toml:2: not TOML: "),
    (b"a = 1\na = 2\n", "not TOML: "),
    (b"a = '\xff'\n", "expected UTF-8, as TOML demands, found the byte 0xff"),
    (b"a = " + b"[" * 100_000, "not usable TOML: "),
    (b"a = " + b"9" * 10_000, "not usable TOML: "),
    (b"#" * (2 << 20), "expected a configuration, found a file of 2097152 bytes"),
])
def test_files_that_are_no_configuration(content, message, tmp_path: Path):
    if content is not None:
        (tmp_path / "kbimg.toml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(Path("kbimg.toml"), tmp_path)
    assert str(caught.value).startswith("kbimg.toml:")
    assert message in str(caught.value)


def test_a_directory_is_no_configuration(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        load(Path("."), tmp_path)
    assert str(caught.value) == ".: expected a configuration file, found a directory"


@pytest.mark.parametrize(("text", "message"), [
    ("", "expected an enabled repository, found none"),
    ("[a]\nname = x\n", "os.repo:1: a: expected one of baseurl, mirrorlist and metalink"),
    ("[a]\nbaseurl = http://x/\nenabled = 0\n", "expected an enabled repository, found none"),
    ("baseurl = x\n", "os.repo:1: not a repository file: "),
    ("[a]\nbaseurl = x\n[a]\nbaseurl = y\n", "os.repo:3: not a repository file: "),
])
def test_bad_repository_files(text, message, tmp_path: Path):
    (tmp_path / "kbimg.toml").write_text(REPO)
    (tmp_path / "agent").touch()
    (tmp_path / "os.repo").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(Path("kbimg.toml"), tmp_path, ("vm_img",))
    assert message in str(caught.value)
