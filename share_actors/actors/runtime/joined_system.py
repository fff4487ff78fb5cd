"""The system that a program connected to, and what the program is told when that system has ended."""

from __future__ import annotations

from contextlib import suppress

from share_actors.actors.runtime import system_state
from share_actors.actors.runtime.system_state import SystemState
from share_actors.config import default_home
from share_actors.errors import ConfigError, Unavailable

KEPT = "; its log keeps everything that was recorded. "
RECONNECT = (
    "call share_actors.connect() again, and get shares from the new connection. A request without a reply"
    " may be repeated there with its command id."
)


class JoinedSystem:
    """The system on the Ray cluster at *address*, as this user's home records it now, if it is that one."""

    def __init__(self, address: str | None) -> None:
        recorded = _recorded()
        same = recorded is not None and recorded.address == address
        self._recorded = recorded if same else None

    def explain(self, error: Unavailable) -> Unavailable:
        """*error*, or one that says what to do, if no repetition of the call can succeed.

        That is so if the system was stopped, or if another one has been started in its place.
        """
        stopped = bool(error.details.get("ended"))
        successor = self._successor() if stopped or error.details.get("passing") else None
        if successor is None and not stopped:
            return error
        what = f"the system of this connection {'was stopped' if stopped else 'died'}"
        then = "Start it with `share-actors up`, then "
        if successor is not None:
            then = f"It runs again at {successor.address}: "
        return Unavailable(f"{what}{KEPT}{then}{RECONNECT}", ended=True)

    def _successor(self) -> SystemState | None:
        """The system that was started in place of this one, if it runs."""
        now = None if self._recorded is None else _recorded()
        if now is None or now == self._recorded or now.address is None or not now.alive:
            return None
        return now


def _recorded() -> SystemState | None:
    with suppress(ConfigError):
        return system_state.read(default_home())
    return None
