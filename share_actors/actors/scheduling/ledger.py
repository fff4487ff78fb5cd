"""The ledger: the room that shares take from each pool, as recorded, and as decided since."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from share_actors.actors.ports import CatalogPort
from share_actors.actors.scheduling.awaited import Awaited
from share_actors.events.share.room import Room, ShareRoom

MAX_WATCHED = 10_000
"""Shares with decisions without a reply that one query reads; the others may count twice until the next."""
IN_DOUBT_S = 60.0
"""How long a decision counts whose reply does not say whether it was recorded."""


class Decision(NamedTuple):
    """The key of a decision: the share, and the command that it is about."""

    share_id: str
    command_id: str


@dataclass(slots=True)
class _Claim(Awaited):
    """The decisions about one share since the last reading: what each makes it take, in GiB.

    *counted* is what the sums have of the share.
    """

    host: str = ""
    counted: int = 0
    taken: dict[str, int] = field(default_factory=dict)
    present: ShareRoom | None = None

    @property
    def more(self) -> int:
        """The GiB that the share takes beyond what the sums have of it."""
        return max(0, max(self.taken.values(), default=0) - self.counted)

    def over(self, now: float) -> set[str]:
        """The decisions that the next reading makes unnecessary."""
        return self.settled(now)

    def drop(self, commands: set[str]) -> None:
        """Forget the decisions about *commands*."""
        for command in commands:
            self.taken.pop(command, None)
        self.forget(commands)


class Ledger:
    """The room taken by host (`backend#pool`): the catalog's sums, and decisions that they may not have yet.

    A decision counts from the moment it is made, and only once: for each share the larger one of what is
    recorded and what is decided counts. It is dropped by the first reading of the catalog that began after
    it was recorded. Nothing of it is stored: a new manager reads the sums.

    While the catalog is far behind the log, its sums are of the past. Then those of the last whole reading
    count, and all decisions since. A new manager has no whole reading: of each pool it knows what backends
    measure, what it decides itself, and as far as the catalog is, the sizes that were promised.
    """

    def __init__(self, catalog: CatalogPort) -> None:
        self._catalog = catalog
        self._sums: dict[str, Room] = {}
        self._claims: dict[str, _Claim] = {}
        self._more: Counter[str] = Counter()
        self._managing: set[Decision] = set()
        self._reading = asyncio.Lock()
        self.is_whole = False
        """Whether the sums have been read as of the end of the log."""
        self._began = self._complete = 0

    # -- what is taken ---------------------------------------------------------------------------
    def room(self, host: str) -> Room:
        """The room taken on *host*; what was decided since the last reading is not settled."""
        sums, more = self._sums.get(host, Room()), self._more[host]
        return sums.plus(Room(more, more)) if more else sums

    def of_backend(self, backend: str) -> dict[str, Room]:
        """The room taken on each host of *backend*, as of the last reading."""
        return {host: r for host, r in self._sums.items() if host.partition("#")[0] == backend}

    @property
    def has_unsized(self) -> bool:
        """Whether shares are being managed, whose size is known once they are: only a reading is exact."""
        return bool(self._managing) or any(room.unsized for room in self._sums.values())

    def host_of(self, share_id: str) -> str:
        """The host on which room was taken for *share_id* by a decision since the last reading, or ''."""
        claim = self._claims.get(share_id)
        return "" if claim is None else claim.host

    def present(self, share_id: str) -> ShareRoom | None:
        """What a watched share took at the last reading; None if there was no such share."""
        claim = self._claims.get(share_id)
        return None if claim is None else claim.present

    def growth(self, share_id: str, size: int) -> int:
        """The GiB that a watched share takes in addition when it takes *size*."""
        claim = self._claims[share_id]
        return max(0, size - claim.counted - claim.more)

    # -- decisions -------------------------------------------------------------------------------
    def watch(self, decision: Decision) -> None:
        """Follow a message of a command until its reply: the next reading has what its share takes now."""
        claim = self._claims.setdefault(decision.share_id, _Claim())
        claim.taken.setdefault(decision.command_id, 0)
        claim.waiting[decision.command_id] += 1

    def take(self, decision: Decision, host: str, size: int) -> None:
        """The share takes *size* GiB on *host*, with what it took before; its command is watched."""
        claim = self._claims[decision.share_id]
        self._more[claim.host] -= claim.more
        claim.host = host
        claim.taken[decision.command_id] = size
        self._more[host] += claim.more

    def manage(self, decision: Decision) -> None:
        """A share is to be managed; it has a size once that is done. Its command is watched."""
        self._managing.add(decision)

    def record(self, decision: Decision) -> None:
        """A message has its reply: the decision is in the log, so that the next reading has it."""
        if (claim := self._claims.get(decision.share_id)) is not None:
            claim.ended.add(decision.command_id)

    def doubt(self, decision: Decision) -> None:
        """A message has its reply: the decision may be in the log, now or soon."""
        if (claim := self._claims.get(decision.share_id)) is not None:
            claim.in_doubt[decision.command_id] = time.monotonic() + IN_DOUBT_S

    def cancel(self, decision: Decision) -> None:
        """A message has its reply: it is not recorded. The room is given back after the last message."""
        claim = self._claims.get(decision.share_id)
        if claim is not None and claim.cancelled(decision.command_id):
            self._drop(decision.share_id, {decision.command_id})

    # -- reading ---------------------------------------------------------------------------------
    async def read(self) -> None:
        """Read the sums, with all that was recorded before the call; callers that wait share a reading."""
        began = self._began
        async with self._reading:
            if self._complete > began:
                return
            self._began += 1
            await self._read(self._began)

    async def _read(self, number: int) -> None:
        now = time.monotonic()
        over = {share_id: claim.over(now) for share_id, claim in self._claims.items()}
        watched = [i for i, claim in self._claims.items() if claim.taken.keys() - over[i]]
        taken = await self._catalog.ask("room", share_ids=watched[:MAX_WATCHED])
        self._complete = number
        if taken.as_of is not None:
            self._read_behind(taken.hosts, {i: taken.shares.get(i) for i in watched[:MAX_WATCHED]})
            return
        self._sums, self.is_whole = taken.hosts, True
        for share_id in watched[:MAX_WATCHED]:
            self._note_present(share_id, taken.shares.get(share_id))
        for share_id, commands in over.items():
            self._drop(share_id, commands)

    def _read_behind(self, hosts: dict[str, Room], shares: dict[str, ShareRoom | None]) -> None:
        """Note a reading that does not have the end of the log: no decision is dropped for it."""
        if not self.is_whole:
            self._sums = {
                host: Room(provisioned=max(0, r.provisioned)) for host, r in hosts.items()
            }
        for share_id, present in shares.items():
            claim = self._claims.get(share_id)
            if claim is not None and not any(claim.taken.values()):
                self._note_present(share_id, present)  # what it takes was promised before
            elif claim is not None:
                claim.present = present

    def _note_present(self, share_id: str, present: ShareRoom | None) -> None:
        claim = self._claims.get(share_id)
        if claim is None:
            return
        self._more[claim.host] -= claim.more
        claim.present, claim.counted = present, 0 if present is None else present.taken
        self._more[claim.host] += claim.more

    def _drop(self, share_id: str, commands: set[str]) -> None:
        self._managing -= {Decision(share_id, command) for command in commands}
        claim = self._claims.get(share_id)
        if claim is None:
            return
        self._more[claim.host] -= claim.more
        claim.drop(commands)
        self._more[claim.host] += claim.more
        if not claim.taken:
            del self._claims[share_id]
