"""The NFS client of these tests says in the words of the contract what a real server answers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from share_actors.testing import Visit
from share_actors.testing.nfs.client import NfsMount
from share_actors.testing.nfs.networks import CLIENTS, SERVER, ClientNetwork
from share_actors.testing.visiting import visits
from share_actors.testing.visits import Full, Gone, ReadOnly, Refused
from share_actors.values import ExportLocation
from tests.storage.conftest import need
from tests.storage.ganesha_server import MOUNT_PORT, PORT, PROGRAMS, ganesha

MIB = 1 << 20
MountAs = Callable[[str], Visit]


@pytest.fixture
def small(directory: Path) -> Iterator[Path]:
    """The top of a filesystem of 16 MiB."""
    image, mounted = directory / "image", directory / "export"
    with image.open("wb") as file:
        file.truncate(16 * MIB)
    mounted.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mounted], check=True)
    (mounted / "lost+found").rmdir()
    yield mounted
    subprocess.run(["umount", "--lazy", mounted], check=True)


@pytest.fixture(params=[3, 4], ids=["v3", "v4"])
def mount(
    request: pytest.FixtureRequest, directory: Path, small: Path, network: ClientNetwork
) -> Iterator[MountAs]:
    """Mounts an export as a client: the first address of each family may write, the second IPv4 one read."""
    need({**PROGRAMS, "mkfs.ext4": "e2fsprogs"})
    (one, one_v6), (two, _) = CLIENTS
    rules = f"CLIENT {{ Clients = {one}, {one_v6}; Access_Type = RW; }}"
    rules += f"CLIENT {{ Clients = {two}; Access_Type = RO; }}"
    with ganesha(directory, network.server, {small: rules}), visits() as made:
        nfs = NfsMount(network, request.param, PORT, MOUNT_PORT)

        def mount_as(who: str) -> Visit:
            server = f"[{SERVER[1]}]" if ":" in who else SERVER[0]
            return made.add(partial(nfs, who, ExportLocation(path=f"{server}:/export")))

        yield mount_as


def test_a_client_reads_what_another_one_writes_over_either_family(mount: MountAs) -> None:
    (one, one_v6), (two, _) = CLIENTS

    mount(one_v6).write("a", b"written over IPv6")

    for client in (one, two):
        visit = mount(client)
        assert visit.names() == ["a"]
        assert visit.read("a") == b"written over IPv6"


def test_a_client_without_a_rule_is_refused_whatever_it_may_know(mount: MountAs) -> None:
    with pytest.raises((Refused, Gone)):
        mount(CLIENTS[1][1])


def test_a_client_that_may_only_read_is_told_so(mount: MountAs) -> None:
    mount(CLIENTS[0][0]).write("a", b"1")
    reader = mount(CLIENTS[1][0])

    for name in ("a", "new"):
        with pytest.raises(ReadOnly):
            reader.write(name, b"2")


def test_a_file_that_does_not_exist_is_gone(mount: MountAs) -> None:
    with pytest.raises(Gone):
        mount(CLIENTS[0][0]).read("missing")


def test_a_full_filesystem_is_full_for_open_and_for_new_files(mount: MountAs) -> None:
    visit = mount(CLIENTS[0][0])
    file = visit.hold("big")
    file.fill(MIB)
    with pytest.raises(Full):
        file.fill(32 * MIB)
    with pytest.raises(Full):
        visit.hold("more").fill(MIB)

    assert visit.names() == ["big", "more"]


def test_an_open_file_is_written_again_and_read_by_others(mount: MountAs) -> None:
    file = mount(CLIENTS[0][0]).hold("a")
    for text in (b"first", b"again"):
        file.write(text)
        assert mount(CLIENTS[1][0]).read("a") == text
    file.close()
