"""Units with NFSv3 and in network namespaces, which know nothing of one another."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from share_actors.drivers import DriverError
from share_actors.drivers.btrfs.image import attached
from share_actors.drivers.ganesha import GaneshaSettings
from tests.drivers.ganesha.conftest import Running, free_ports, wait_until

LOCAL = "127.0.0.1"
NewUnit = Callable[[GaneshaSettings], Running]


@pytest.fixture
def v3(new_unit: NewUnit, settings: GaneshaSettings, tmp_path: Path) -> Iterator[Running]:
    """A unit with NFSv3 that runs; mounts below `tmp_path/mounts` reach it."""
    (root := tmp_path / "mounts").mkdir()
    made = new_unit(settings.model_copy(update={"versions": (3, 4), "mount_root": root}))
    try:
        made.unit.start()
        yield made
    finally:
        made.unit.stop()
        while f" {root} " in Path("/proc/self/mountinfo").read_text():
            subprocess.run(["umount", "-R", str(root)], check=True)


@pytest.fixture
def namespace(can_run: None) -> Iterator[str]:
    """A network namespace with an address on a bridge, besides 127.0.0.1."""
    name = f"sa-test-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for words in (
            "link set lo up",
            "link add net0 type bridge",
            "address add 10.9.8.7/24 dev net0",
            "link set net0 up",
        ):
            subprocess.run(["ip", "-n", name, *words.split()], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def inside(namespace: str, ask: Callable[[], str]) -> str:
    """The result of *ask* in a thread inside the network namespace."""
    answers: list[str] = []

    def run() -> None:
        with open(f"/run/netns/{namespace}") as file:
            assert ctypes.CDLL(None).setns(file.fileno(), 0x40000000) == 0
        answers.append(ask())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return answers[0]


def test_a_client_mounts_by_nfs_3(v3: Running, data: Path) -> None:
    v3.unit.export("s1", data, {LOCAL: "ro"})
    assert v3.access("s1") == "ro"
    v3.unit.export("s1", data, {})
    assert v3.access("s1") == "none"


def test_a_killed_rpcbind_is_started_again(v3: Running, data: Path) -> None:
    v3.unit.export("s1", data, {LOCAL: "rw"})
    killed = v3.kill("rpcbind")
    wait_until(lambda: v3.pid("rpcbind") not in (0, killed) and v3.unit.served("s1") is not None)
    assert v3.access("s1") == "rw"


def test_an_rpcbind_ends_with_the_supervisor_or_at_the_next_start(v3: Running, data: Path) -> None:
    v3.unit.export("s1", data, {LOCAL: "rw"})
    v3.kill("supervisor")
    v3.unit.start()
    assert v3.access("s1") == "rw"


def test_a_later_mount_below_the_root_is_exported(v3: Running, tmp_path: Path) -> None:
    (path := tmp_path / "mounts" / "s1").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=777", "tmpfs", str(path)], check=True)
    v3.unit.export("s1", path, {LOCAL: "rw"})
    assert v3.access("s1") == "rw"
    assert (path / "written").exists()
    v3.unit.remove("s1")
    subprocess.run(["umount", str(path)], check=True)


def test_a_later_mount_that_the_daemon_does_not_see_is_not_exported(
    v3: Running, data: Path
) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(data)], check=True)
    try:
        subprocess.run(["mount", "--make-private", str(data)], check=True)
        with pytest.raises(DriverError, match="another directory"):
            v3.unit.export("s1", data, {LOCAL: "rw"})
        assert v3.unit.served("s1") is None
        assert v3.unit.export_names() == frozenset()
    finally:
        subprocess.run(["umount", str(data)], check=True)


def test_two_units_with_nfs_3_do_not_disturb_each_other(
    v3: Running, new_unit: NewUnit, tmp_path: Path, data: Path
) -> None:
    nfs_port, mount_port = free_ports(2)
    other = new_unit(
        GaneshaSettings(
            directory=tmp_path / "other", nfs_port=nfs_port, mount_port=mount_port, versions=(3,)
        )
    )
    other.unit.start()
    v3.unit.export("s1", data, {LOCAL: "rw"})
    other.unit.export("s1", data, {LOCAL: "ro"})
    assert (v3.access("s1"), other.access("s1")) == ("rw", "ro")
    other.unit.stop()
    assert v3.access("s1") == "rw"


@pytest.mark.parametrize("versions", [(4,), (3,)])
def test_a_unit_serves_inside_its_network_namespace_only(
    new_unit: NewUnit,
    settings: GaneshaSettings,
    namespace: str,
    data: Path,
    versions: tuple[int, ...],
) -> None:
    changes = {"network_namespace": namespace, "address": "10.9.8.7", "versions": versions}
    made = new_unit(settings.model_copy(update=changes))
    made.unit.start()
    made.unit.export("s1", data, {"10.9.8.0/24": "ro"})
    assert inside(namespace, lambda: made.access("s1")) == "ro"
    made.kill("ganesha")
    wait_until(lambda: made.unit.served("s1") is not None)
    assert inside(namespace, lambda: made.access("s1")) == "ro"
    made.unit.stop()


def test_a_missing_network_namespace_is_named(new_unit: NewUnit, settings: GaneshaSettings) -> None:
    made = new_unit(settings.model_copy(update={"network_namespace": "sa-none"}))
    with pytest.raises(DriverError, match="network_namespace 'sa-none'"):
        made.unit.start()


def test_a_root_with_mounts_that_would_be_hidden_is_refused(
    new_unit: NewUnit, settings: GaneshaSettings, tmp_path: Path
) -> None:
    (path := tmp_path / "mounts" / "s1").mkdir(parents=True)
    changes = {"versions": (3,), "mount_root": path.parent}
    made = new_unit(settings.model_copy(update=changes))
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(path)], check=True)
    try:
        with pytest.raises(DriverError, match=f"{path} is mounted below it"):
            made.unit.start()
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_a_unit_does_not_keep_a_disk_in_use_that_is_mounted_elsewhere(
    new_unit: NewUnit, settings: GaneshaSettings, tmp_path: Path, data: Path
) -> None:
    (disk := tmp_path / "disk").write_bytes(bytes(1 << 20))
    (place := tmp_path / "other").mkdir()
    (root := tmp_path / "mounts").mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", str(disk)], check=True)
    made = new_unit(settings.model_copy(update={"versions": (3,), "mount_root": root}))
    try:
        subprocess.run(["mount", "-o", "loop", str(disk), str(place)], check=True)
        subprocess.run(["mount", "--make-private", str(place)], check=True)
        made.unit.start()
        subprocess.run(["umount", str(place)], check=True)
        wait_until(lambda: attached(disk) is None)
        made.unit.export("s1", data, {LOCAL: "rw"})
        assert made.access("s1") == "rw"
    finally:
        made.unit.stop()
        for path in (place, root):
            while f" {path} " in Path("/proc/self/mountinfo").read_text():
                subprocess.run(["umount", "-R", str(path)], check=True)
