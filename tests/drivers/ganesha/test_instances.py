"""Several NFS-Ganeshas above a number of exports: which has what, and what becomes of them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from share_actors.drivers import DriverError, TransientError
from share_actors.drivers.ganesha import GaneshaInstances, GaneshaSettings
from share_actors.drivers.ganesha.exports import ExportFiles
from share_actors.testing.crash_points import Different, count_steps, die_at
from tests.drivers.ganesha.conftest import Running, free_ports, processes_of, runs, wait_until

LOCAL = "127.0.0.1"
RULES = {LOCAL: "ro"}


def unchecked() -> None:
    """The check of a caller without a fence."""


def overtaken() -> None:
    raise DriverError("overtaken")


class Servers:
    """Servers with two exports each, and what the tests ask about them."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.ports = directory, free_ports(9)
        self.all = self.again()

    def again(self, size: int | None = 2) -> GaneshaInstances:
        """The same servers as another process has them."""
        return GaneshaInstances(self.settings_of, size)

    def settings_of(self, number: int) -> GaneshaSettings:
        directory = self.directory / f"g{number}"
        return GaneshaSettings(directory=directory, nfs_port=self.ports[number - 1])

    def export(self, *names: str) -> None:
        for name in names:
            path = self.directory.parent / name
            path.mkdir(exist_ok=True)
            self.all.export(name, path, RULES, unchecked)

    def delete(self, *names: str) -> None:
        for name in names:
            self.all.remove(name, unchecked)
            self.all.forget(name)

    def unit(self, number: int) -> Running:
        return Running(self.settings_of(number))

    def place(self, name: str) -> int:
        """The number of the server that the export has."""
        return self.ports.index(self.all.settings(name).nfs_port) + 1

    def access(self, name: str) -> str:
        """What a client may do that mounts from the port that is told for the export."""
        return self.unit(self.place(name)).access(name)

    def runs(self, number: int) -> bool:
        return processes_of(self.settings_of(number).directory) != []


@pytest.fixture
def servers(can_run: None, tmp_path: Path) -> Iterator[Servers]:
    """Servers of which the first runs; all are ended."""
    made = Servers(tmp_path / "servers")
    made.directory.mkdir()
    made.all.start()
    try:
        yield made
    finally:
        made.all.stop()
        left = processes_of(made.directory)
        for process in left:
            process.kill()
        assert left == []


def test_exports_above_the_size_of_a_server_are_served_at_the_port_of_a_further_one(
    servers: Servers,
) -> None:
    servers.export("a", "b", "c")

    assert [servers.place(name) for name in "abc"] == [1, 1, 2]
    assert [servers.access(name) for name in "abc"] == ["ro"] * 3
    assert servers.unit(1).access("c") == "none"
    assert servers.all.export_names() == {"a", "b", "c"}
    assert [servers.all.served(name) for name in "abc"] == [RULES] * 3
    assert servers.all.problems() == ()


def test_an_export_stays_with_its_server_over_restarts_and_removals(servers: Servers) -> None:
    servers.export("a", "b", "c", "d")
    servers.all.remove("d", unchecked)
    servers.delete("a")

    servers.all.stop()
    with pytest.raises(TransientError, match="not started"):
        servers.export("d")
    servers.all = servers.again()
    servers.all.start()
    servers.export("d", "e")

    assert [servers.place(name) for name in "bcde"] == [1, 2, 2, 1]
    assert [servers.access(name) for name in "bcde"] == ["ro"] * 4


def test_the_other_servers_go_on_when_one_is_killed(servers: Servers) -> None:
    servers.export("a", "b", "c")
    first = servers.unit(1).pid("ganesha")

    killed = servers.unit(2).kill("ganesha")

    assert servers.access("a") == "ro"
    wait_until(lambda: servers.all.served("c") == RULES)
    assert servers.access("c") == "ro"
    assert servers.unit(1).pid("ganesha") == first
    assert servers.unit(2).pid("ganesha") != killed


def test_what_is_wrong_with_any_server_is_told_and_mended_by_a_start(servers: Servers) -> None:
    servers.export("a", "b", "c")
    servers.unit(2).kill("supervisor")

    [problem, *_] = servers.all.problems()
    servers.all.start()

    assert f"{servers.directory}/g2: its supervisor does not run" in problem
    assert servers.all.problems() == ()
    assert servers.access("c") == "ro"


def test_a_server_without_exports_is_ended_and_gives_no_id_twice_when_it_is_needed_again(
    servers: Servers,
) -> None:
    servers.export("a", "b", "c")
    files = ExportFiles(servers.settings_of(2).files)
    before = files.record("c")

    servers.delete("c")
    ended = not servers.runs(2)
    servers.export("d")

    after = files.record("d")
    assert ended
    assert before is not None
    assert after is not None
    assert after.id == before.id + 1
    assert servers.access("d") == "ro"


def test_a_further_server_whose_port_is_taken_is_told_and_started_by_a_repetition(
    servers: Servers,
) -> None:
    servers.export("a", "b")
    with (
        socket.create_server((LOCAL, servers.ports[1])),
        pytest.raises(DriverError, match=f"uses port {servers.ports[1]} of 127.0.0.1, then repeat"),
    ):
        servers.export("c")
    assert not servers.runs(2)

    servers.export("c")

    assert servers.access("c") == "ro"


def test_an_overtaken_call_takes_no_place(servers: Servers, tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="overtaken"):
        servers.all.export("a", tmp_path, RULES, overtaken)
    assert not servers.all.has_server("a")


def test_exports_from_before_there_were_several_servers_stay_at_the_first(
    servers: Servers, tmp_path: Path
) -> None:
    servers.export("a", "b")
    for path in sorted(servers.directory.glob("nfs-shares/*/*")):
        path.unlink()

    servers.export("c")
    places = [servers.place(name) for name in "abc"]
    servers.all.start()
    servers.all.remove("a", unchecked)

    assert places == [1, 1, 2]
    assert servers.all.has_server("a")


def test_without_a_size_one_server_has_all_exports(servers: Servers) -> None:
    servers.all = servers.again(None)
    servers.export("a", "b", "c")
    assert [servers.place(name) for name in "abc"] == [1, 1, 1]


DIFFERENT = Different(pure=frozenset({"clients.py", "rendering.py", "rules.py"}))
"""Four of five lines only compute the text of rules."""


def crashing(servers: Servers, steps_apart: Callable[[int], int]) -> None:
    """Let processes die at steps of adding and of deleting the first export of the second server."""
    servers.export("a", "b", "c")
    servers.delete("c")

    def add() -> None:
        servers.export("c")

    def delete() -> None:
        servers.delete("c")

    for call, undo in ((add, delete), (delete, add)):
        if call is delete:
            add()
        steps = count_steps(call, GaneshaInstances, DIFFERENT)
        undo()
        for step in range(1, steps + 1, steps_apart(steps)):
            print(f"{call.__name__}: step {step} of {steps}", flush=True)  # shown by `-s`
            die_at(step, call, GaneshaInstances, DIFFERENT)
            call()
            is_added = call is add
            assert servers.runs(2) == servers.all.has_server("c") == is_added, f"step {step}"
            assert servers.access("a") == "ro", f"step {step}"
            assert servers.access("c") == ("ro" if is_added else "none"), f"step {step}"
            undo()


def test_adding_and_deleting_can_be_repeated_after_a_crash(servers: Servers) -> None:
    crashing(servers, lambda steps: -(-steps // 2))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_adding_and_deleting_can_be_repeated_after_a_crash_at_any_step(servers: Servers) -> None:
    crashing(servers, lambda steps: 1)


def test_a_stop_ends_what_an_interrupted_deletion_left(servers: Servers) -> None:
    servers.export("a", "b", "c")
    settings = servers.settings_of(2)
    settings.files.spec.unlink()  # a stop begins so
    supervisor = servers.unit(2).pid("supervisor")

    servers.delete("c")

    assert not runs(supervisor)
    assert not servers.runs(2)
