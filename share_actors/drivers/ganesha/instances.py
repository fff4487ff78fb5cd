"""As many private NFS-Ganeshas as the exports need: how long one takes to start depends on its exports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

from share_actors.drivers.at_once import for_all
from share_actors.drivers.base import DriverError, TransientError
from share_actors.drivers.ganesha.assignments import ASSIGNMENTS, Assignments
from share_actors.drivers.ganesha.settings import GaneshaSettings
from share_actors.drivers.ganesha.unit import Ganesha
from share_actors.values import ShareClient


class GaneshaInstances:
    """NFS-Ganeshas with *size* exports each; the first one always runs, the others while they have exports.

    An export stays with its server until `forget`. *settings_of* are the settings of a server by its number,
    from 1; it raises `DriverError` if there can be none. *size* None: there is one server alone. Any number
    of objects and processes may use the same servers. Methods raise `DriverError` and `TransientError`.
    """

    def __init__(self, settings_of: Callable[[int], GaneshaSettings], size: int | None) -> None:
        self._settings_of, self._size = settings_of, size
        self._first = Ganesha(settings_of(1))
        self._units = {1: self._first}
        self._assignments = Assignments(self._first.settings.directory.parent / ASSIGNMENTS)

    # -- the servers ---------------------------------------------------------------------------
    def start(self) -> None:
        """Start every server that is needed, unless it runs, and end the others."""
        with self._assignments.locked():
            self._assign_earlier()
            self._end_unneeded()
            for_all(self._needed(), lambda number: self._unit(number).start())

    def stop(self) -> None:
        """End all servers, and wait for their ends."""
        if self._first.settings.directory.parent.is_dir():
            with self._assignments.locked():
                for_all(self._assignments.numbers(), lambda number: self._unit(number).stop())

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the servers now, one sentence each."""
        return sum((self._unit(number).problems() for number in self._needed()), ())

    # -- exports -------------------------------------------------------------------------------
    def export(
        self, name: str, path: Path, clients: Mapping[str, str], check: Callable[[], None]
    ) -> None:
        """Export *path* as `/NAME` to exactly *clients*, by its server: see `Ganesha.export`.

        A new export gets the first server that has room, which is started if it does not run.
        """
        if not self._first.is_wanted:
            raise TransientError("the NFS servers are not started; nothing was changed. Start them")
        number = self._number(name)
        unit = self._unit(number) if number else self._assign(name, check)
        if not unit.is_wanted:
            self._start_needed(unit)
        unit.export(name, path, clients, check)

    def remove(self, name: str, check: Callable[[], None]) -> None:
        """Remove the export `/NAME`, unless there is none; it keeps its server."""
        self._unit_of(name).remove(name, check)

    def forget(self, name: str) -> None:
        """Let the export *name*, which was removed, have no server; one without exports is ended."""
        if self._first.settings.directory.parent.is_dir():
            with self._assignments.locked():
                self._assignments.remove(name)
                self._end_unneeded()

    def has_server(self, name: str) -> bool:
        """Whether a server was chosen for the export *name*."""
        return self._number(name) is not None

    def settings(self, name: str) -> GaneshaSettings:
        """The settings of the server of the export *name*; of the first one if it has none."""
        return self._unit_of(name).settings

    def recorded(self, name: str) -> Mapping[str, str] | None:
        """The clients of the export on file; None if there is no export."""
        return self._unit_of(name).recorded(name)

    def served(self, name: str) -> Mapping[str, str] | None:
        """The clients of the export that its server lets in now; None if it does not serve it."""
        return self._unit_of(name).served(name)

    def clients(self, name: str) -> tuple[ShareClient, ...]:
        """The clients connected to the server of the export that the rules let in."""
        return self._unit_of(name).clients(name)

    def export_names(self) -> frozenset[str]:
        """The names of the exports on file of all servers."""
        numbers = self._assignments.numbers()
        return frozenset().union(*(self._unit(number).export_names() for number in numbers))

    # -- inside --------------------------------------------------------------------------------
    def _unit(self, number: int) -> Ganesha:
        if number not in self._units:
            self._units[number] = Ganesha(self._settings_of(number))
        return self._units[number]

    def _unit_of(self, name: str) -> Ganesha:
        return self._unit(self._number(name) or 1)

    def _number(self, name: str) -> int | None:
        """The server of the export; also of one that was made before there could be several servers."""
        number = self._assignments.number(name)
        return 1 if number is None and self._first.recorded(name) is not None else number

    def _assign(self, name: str, check: Callable[[], None]) -> Ganesha:
        """The server of the export *name* from now on: the first one with room."""
        with self._assignments.locked():
            number = self._number(name)
            if number is not None:
                return self._unit(number)
            number = next(number for number in count(1) if self._has_room(number))
            unit = self._unit(number)
            check()
            self._assignments.add(name, number)
            return unit

    def _has_room(self, number: int) -> bool:
        names = self._assignments.names(number)
        if number == 1:
            names |= self._first.export_names()
        return self._size is None or len(names) < self._size

    def _assign_earlier(self) -> None:
        """Assign the exports that were made before there could be several servers."""
        numbers = self._assignments.numbers()
        assigned = frozenset().union(*(self._assignments.names(number) for number in numbers))
        for name in self._first.export_names() - assigned:
            self._assignments.add(name, 1)

    def _needed(self) -> list[int]:
        numbers = self._assignments.numbers()
        return [number for number in numbers if number == 1 or self._assignments.names(number)]

    def _end_unneeded(self) -> None:
        """End the servers without exports. Their files stay: no export id is given again soon."""
        for number in set(self._assignments.numbers()).difference(self._needed()):
            if self._unit(number).may_run:
                self._unit(number).stop()

    def _start_needed(self, unit: Ganesha) -> None:
        """Start one more server, unless all were ended meanwhile."""
        with self._assignments.locked():
            if not self._first.is_wanted:
                raise TransientError("the NFS servers were ended meanwhile; start them")
            try:
                unit.start()
            except DriverError as error:
                settings = unit.settings
                raise DriverError(
                    f"a further NFS server was not started: {error}. Make sure that no other program uses"
                    f" port {settings.nfs_port} of {settings.address}, then repeat the call"
                ) from error
