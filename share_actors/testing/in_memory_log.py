"""A log in memory: the same `Log` as on a database, for tests that need no file and no database server."""

from __future__ import annotations

from share_actors.config import LogSettings
from share_actors.events.log import Log
from share_actors.events.log.memory import LogMemory
from share_actors.events.subjects.sealing import RecordSealer


class InMemoryLog(Log):
    """A `Log` whose events are lost when this process ends.

    It passes the log's own contract: group commit, conflicts, the order of all events, state snapshots,
    compression and encryption. Only durability across processes is missing.
    """

    def __init__(
        self,
        settings: LogSettings | None = None,
        *,
        memory: LogMemory | None = None,
        subjects: RecordSealer | None = None,
    ) -> None:
        self._memory = memory or LogMemory()
        store = self._memory.open(settings or LogSettings())
        try:
            super().__init__(store, subjects=subjects)
        except BaseException:
            store.factory.close()
            raise

    def reopen(
        self, settings: LogSettings | None = None, subjects: RecordSealer | None = None
    ) -> InMemoryLog:
        """Open another log on the same events, like another process; the caller must close each of them."""
        return InMemoryLog(settings, memory=self._memory, subjects=subjects)
