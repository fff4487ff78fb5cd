"""The command that mounts a share, and rules that let everyone in."""

from __future__ import annotations

import pytest

from share_actors.values import AccessRule, ExportLocation, Share, Snapshot
from share_actors.values.mount import is_for_world, mount_command

SHARE = Share(id="s1", name="data", share_proto="NFS")


@pytest.mark.parametrize(
    ("path", "options", "command"),
    [
        ("10.0.0.1:/s1", "", "mount -t nfs 10.0.0.1:/s1 /mnt/data"),
        (
            "10.0.0.1:/s1",
            "vers=4.1,port=2049",
            "mount -t nfs -o vers=4.1,port=2049 10.0.0.1:/s1 /mnt/data",
        ),
        ("[2001:db8::1]:/s1", "", "mount -t nfs '[2001:db8::1]:/s1' /mnt/data"),
        ("nas.example:/a;b", "", "mount -t nfs 'nas.example:/a;b' /mnt/data"),
        ("/srv/shares/s1", "", None),
        ("//10.0.0.1/s1", "", None),
    ],
)
def test_an_nfs_path_has_a_mount_command_and_a_local_path_has_none(
    path: str, options: str, command: str | None
) -> None:
    assert mount_command(SHARE, ExportLocation(path=path, options=options)) == command


def test_a_snapshot_is_mounted_read_only() -> None:
    location = ExportLocation(path="10.0.0.1:/s1@n1", options="vers=4.1")

    command = mount_command(Snapshot(id="n1", share_id="s1", name="monday"), location)

    assert command == "mount -t nfs -o ro,vers=4.1 10.0.0.1:/s1@n1 /mnt/monday"


@pytest.mark.parametrize("path", ["//10.0.0.1/s1", r"\\10.0.0.1\s1"])
def test_a_cifs_path_has_a_mount_command_with_a_user(path: str) -> None:
    location = ExportLocation(path=path, protocol="CIFS", options="port=4450")

    command = "mount -t cifs -o username=USER,port=4450 //10.0.0.1/s1 /mnt/data"
    assert mount_command(SHARE, location) == command


def test_options_that_name_the_user_are_kept() -> None:
    location = ExportLocation(path="//nas/s1", protocol="CIFS", options="username=alice")

    assert mount_command(SHARE, location) == "mount -t cifs -o username=alice //nas/s1 /mnt/data"


@pytest.mark.parametrize("name", [None, "my data", "../etc", "-o", "a/b", "\u00fcber"])
def test_a_share_without_a_plain_name_is_mounted_by_its_id(name: str | None) -> None:
    share = SHARE.replace(name=name)

    assert mount_command(share, ExportLocation(path="h:/s1")) == "mount -t nfs h:/s1 /mnt/s1"


@pytest.mark.parametrize(
    ("kind", "client", "world"),
    [
        ("ip", "0.0.0.0/0", True),
        ("ip", "::/0", True),
        ("ip", "10.0.0.0/8", False),
        ("ip", "0.0.0.0", False),
        ("user", "0.0.0.0/0", False),
        ("ip", "no address", False),
    ],
)
def test_only_a_network_without_a_prefix_is_the_world(kind: str, client: str, world: bool) -> None:
    rule = AccessRule.model_validate({"id": "r", "access_type": kind, "access_to": client})

    assert is_for_world(rule) is world
