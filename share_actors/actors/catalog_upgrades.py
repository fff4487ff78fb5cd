"""The part of the catalog's actor that is about upgrades: it reads the whole log, and records its format."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from share_actors.errors import LogTooNew, Refused
from share_actors.events.erasing import envelope_of
from share_actors.events.log.format_record import raise_format
from share_actors.policy import caller_of, check_role
from share_actors.values import OPERATOR, SYSTEM_CONTEXT, RequestContext
from share_actors.versions import OWN

if TYPE_CHECKING:
    from share_actors.events.catalog import Catalog
    from share_actors.events.log import Log

T = TypeVar("T")


class CatalogUpgrades:
    """Versions, the format of the log, and streams that an earlier version could not follow."""

    @cached_property
    def _log(self) -> Log:
        raise NotImplementedError

    @cached_property
    def _catalog(self) -> Catalog:
        raise NotImplementedError

    @abstractmethod
    async def _run(self, job: Callable[[], T]) -> T:
        """The result of *job*, which runs in the writer thread."""

    async def take_over(self) -> None:
        """Follow what an earlier version could not, and have a new log written in the newest format."""
        for parked in await self._run(lambda: self._catalog.parked()):  # noqa: PLW0108 - opened there
            if parked.error.startswith(LogTooNew.__name__):
                await self._run(partial(self._catalog.unpark, parked.stream))
        if await self._run(lambda: self._log.head()) == 0:  # noqa: PLW0108 - opened there
            await raise_format(self._log, envelope_of(SYSTEM_CONTEXT))

    async def versions(self, *, context: RequestContext = OPERATOR) -> dict[str, Any]:
        """The versions of this process, see `Versions.told`, and in which format the log is written."""
        check_role("versions", caller_of(context))
        written = await self._run(lambda: self._log.format.read())  # noqa: PLW0108 - opened there
        return OWN.told() | {"written_format": written}

    async def finish_upgrade(self, log_format: int, *, context: RequestContext = OPERATOR) -> bool:
        """Have the log written in the newest format from now on; returns whether that is new.

        Raises `Refused` if that is not *log_format*, which all processes were found to read.
        """
        check_role("finish_upgrade", caller_of(context))
        if log_format != OWN.log_format:
            raise Refused(
                f"the upgrade can't be finished: all processes can read log format {log_format}, and the"
                f" catalog has been restarted meanwhile in a version that writes format {OWN.log_format}",
                field="format",
                value=log_format,
                next_step="Run `share-actors upgrade show`, then `share-actors upgrade finish` again.",
            )
        log = await self._run(lambda: self._log)
        return await raise_format(log, envelope_of(context))
