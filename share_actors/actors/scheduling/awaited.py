"""The commands about one entity that a ledger counts until a reading has them, or they are not recorded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Awaited:
    """What is known of the replies to the commands about one entity since the last reading.

    *waiting*: how many messages of each command wait for their reply. *ended* are recorded: the next reading
    has them; *in_doubt* may be, with the monotonic time in seconds until which they count.
    """

    waiting: Counter[str] = field(default_factory=Counter)
    ended: set[str] = field(default_factory=set)
    in_doubt: dict[str, float] = field(default_factory=dict)

    def cancelled(self, command_id: str) -> bool:
        """Note a reply that says that a message is not recorded; whether the command certainly is not."""
        self.waiting[command_id] -= 1
        known = command_id in self.ended or command_id in self.in_doubt
        return self.waiting[command_id] <= 0 and not known

    def settled(self, now: float) -> set[str]:
        """The commands that are recorded, or whose doubt has lasted long enough."""
        return self.ended | {command for command, until in self.in_doubt.items() if until < now}

    def forget(self, commands: set[str]) -> None:
        """Forget the replies to *commands*."""
        for command in commands:
            self.in_doubt.pop(command, None)
            self.waiting.pop(command, None)
        self.ended -= commands
