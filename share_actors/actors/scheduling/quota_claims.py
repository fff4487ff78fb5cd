"""The quota that commands in flight need: what each share or network will use once they are recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from share_actors.actors.scheduling.awaited import Awaited
from share_actors.actors.scheduling.ledger import Decision
from share_actors.events.uses import NOTHING, Account, Charged, Use


class Asked(NamedTuple):
    """What a command needs: its entity then uses at least *use*, for *account*, besides its snapshots.

    *snapshot_id* is the new snapshot that it makes, of *snapshot_gib* GiB; *size* is the size of the share
    that it asks for, 0 if it asks for none.
    """

    decision: Decision
    account: Account
    use: Use = NOTHING
    size: int = 0
    snapshot_id: str = ""
    snapshot_gib: int = 0

    def at_least(self, other: Asked) -> Asked:
        """What is needed for both: two messages of one command, for an entity that changed between them."""
        use = Use._make(map(max, self.use, other.use))
        return self._replace(use=use, snapshot_gib=max(self.snapshot_gib, other.snapshot_gib))


@dataclass(slots=True)
class Claim(Awaited):
    """The commands about one entity since the last reading: what it uses in addition to what was read.

    *counted* is what the sums have of the entity, and *present* what it used at the last reading, which may
    have seen more of it than the sums while the catalog catches up.
    """

    account: Account | None = None
    counted: Charged | None = None
    present: Charged | None = None
    asked: dict[str, Asked] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The size of the share in GiB, with an extension that is recorded, at the last reading."""
        return 0 if self.present is None else self.present.use.gigabytes

    @property
    def more(self) -> Use:
        """What the entity uses beyond what was read of it, once all of its commands are recorded."""
        return self._more(list(self.asked.values())) if self.asked else NOTHING

    def more_with(self, asked: Asked) -> Use:
        """The same with one more command."""
        return self._more([*self.asked.values(), asked])

    def _more(self, asked: list[Asked]) -> Use:
        counted = self.counted
        use = NOTHING if counted is None else counted.use
        held = frozenset[str]() if counted is None else counted.snapshots
        most = Use._make(map(max, *(each.use for each in asked), NOTHING))
        gib = max(most.gigabytes, use.gigabytes)  # an extension may be recorded before the snapshot
        new = {
            a.snapshot_id: max(a.snapshot_gib, gib) if a.snapshot_gib else 0
            for a in asked
            if a.snapshot_id and a.snapshot_id not in held
        }
        return Use(
            shares=max(0, most.shares - use.shares),
            gigabytes=max(0, most.gigabytes - use.gigabytes),
            snapshots=len(new),
            snapshot_gigabytes=sum(new.values()),
            share_networks=max(0, most.share_networks - use.share_networks),
            managing=max(0, most.managing - use.managing),
        )

    def over(self, now: float) -> set[str]:
        """The commands that the next reading makes unnecessary: no message of them waits any more."""
        return {command for command in self.settled(now) if self.waiting[command] <= 0}

    def drop(self, commands: set[str]) -> None:
        """Forget these commands."""
        for command in commands:
            self.asked.pop(command, None)
        self.forget(commands)

    @property
    def is_idle(self) -> bool:
        """Whether no command is left."""
        return not self.asked and not self.waiting
