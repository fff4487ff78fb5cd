"""The pretended daemon of the driver `dummy`: a file that says whether it runs, and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence

from share_actors.drivers.abilities import NotStarted
from share_actors.drivers.base import DriverError
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.drivers.dummy.faults import Faults
from share_actors.values import RequestContext

NAME = "started"
"""The file in the backend's directory that exists while the daemon runs; each of its lines is a problem."""


class DummyDaemon:
    """The ability `RunsDaemons` of a dummy backend with the option `daemon`."""

    def __init__(self, backend: DummyBackend, faults: Faults) -> None:
        self._backend, self._faults = backend, faults
        self._file = backend.directory / NAME

    def start_backend(self, context: RequestContext) -> None:
        """Have the daemon run, without problems."""
        self._backend.prepare()
        self._faults.begin("start_backend", context, NAME)
        self._file.write_text("")

    def stop_backend(self, context: RequestContext) -> None:
        """End the daemon, if it runs."""
        if self._backend.directory.is_dir():
            self._faults.begin("stop_backend", context, NAME)
        self._file.unlink(missing_ok=True)

    def check_health(self) -> Sequence[str]:
        """That the daemon does not run, or the lines of its file."""
        try:
            return tuple(self._file.read_text().splitlines())
        except FileNotFoundError:
            return ("the daemon does not run",)
        except OSError as error:
            raise DriverError(f"the daemon's file {self._file}: {error}") from error

    def check_started(self) -> None:
        """Raise `NotStarted` unless the daemon runs."""
        if not self._file.exists():
            raise NotStarted("the daemon does not run")
