"""What this machine answers when its requirements are examined."""

from __future__ import annotations

import gzip
import os
import socket
from pathlib import Path

import pytest

from share_actors.drivers.machine import ThisMachine
from share_actors.drivers.requirements import (
    btrfs_requirements,
    nfs_requirements,
    samba_requirements,
    server_requirements,
)


def test_this_machine_names_the_process_that_holds_a_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        held = ThisMachine().listeners(port)

    assert [listener.pid for listener in held] == [os.getpid()]
    assert ThisMachine().listeners(port) == []


@pytest.mark.parametrize(
    "broken",
    [
        b"no gzip",
        b"",
        gzip.compress(b"a" * 99)[:-9] + b"x",
        b"\x1f\x8b\x08" + b"\0" * 7 + b"\xff" * 9,
    ],
)
def test_this_machine_reads_packed_files_and_finds_commands(broken: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.gz").write_bytes(gzip.compress(b"CONFIG_VETH=y\n"))
    (tmp_path / "broken.gz").write_bytes(broken)
    machine = ThisMachine()

    assert machine.read(f"{tmp_path}/config.gz") == "CONFIG_VETH=y\n"
    assert not machine.read(f"{tmp_path}/broken.gz")
    assert machine.which("sh") is not None
    assert machine.which("no-such-command") is None


def test_this_machine_has_room_and_lists_at_a_directory_that_will_exist(tmp_path: Path) -> None:
    machine, root = ThisMachine(), tmp_path / "not" / "there"

    assert machine.free_bytes(root) == machine.free_bytes(tmp_path) != 0
    assert machine.supports_acls(root) == machine.supports_acls(tmp_path)
    assert machine.supports_acls(Path("/proc")) is False


def test_every_list_can_be_made_of_this_machine() -> None:
    for stated in (nfs_requirements, btrfs_requirements, samba_requirements, server_requirements):
        for requirement in stated():
            assert requirement.found
            assert bool(requirement.mend) != requirement.met
