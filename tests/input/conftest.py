"""A system in this process, with a share, for all tests of this package."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from share_actors.client import ShareHandle
from share_actors.client.sync.background_loop import run
from share_actors.errors import ShareActorsError
from share_actors.testing import InMemoryLog, SyncInProcessSystem, sync_system
from tests.input.signatures import NOTHING_RECORDED, answer

SETTLED_S = 30.0


class Tried:
    """A system, and what it answers to odd values."""

    def __init__(self, system: SyncInProcessSystem, log: InMemoryLog) -> None:
        self.system, self._log = system, log
        self._share = system.create_share(size=2, name="tried")
        self.receipt = self._share.receipt

    @property
    def share(self) -> ShareHandle:
        """An available share, a new one if the last is not available any more."""
        if self._share.refresh().status != "available" or self._share.name != "tried":
            self._share = self.system.create_share(size=2, name="tried")
        return self._share

    def verb(self, verb: str, /, *arguments: Any, **keywords: Any) -> Any:
        """The result of one of the manager's verbs."""
        manager = self.system._in_process.cluster.find_manager()
        return run(manager.call(verb, *arguments, **keywords))

    def answer(self, call: Callable[[], Any], *, waits: bool = True) -> ShareActorsError | None:
        """The error of *call*, or None; nothing is recorded of what is refused.

        *waits*: the work of what is accepted has ended when the call returns.
        """
        before = self._log.head()
        error = answer(call)
        if isinstance(error, NOTHING_RECORDED):
            assert self._log.head() == before, error
        elif not waits:
            self._settle()
        return error

    def _settle(self) -> None:
        """Return once all work has ended, so that later events are those of later requests."""
        catalog = self.system._in_process.cluster.catalog
        until = time.monotonic() + SETTLED_S
        while run(catalog.ask("owing")) and time.monotonic() < until:
            time.sleep(0.01)


@pytest.fixture(scope="module")
def tried() -> Iterator[Tried]:
    with closing(InMemoryLog()) as log, sync_system(log=log) as system:
        system.backends.publish()
        until = time.monotonic() + SETTLED_S
        while system.backends.get("dummy").ensured is None and time.monotonic() < until:
            time.sleep(0.05)  # the last event that the backend records by itself
        yield Tried(system, log)
