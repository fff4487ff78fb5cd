"""The system that a program connected to, and what the program is told when that system has ended."""

from __future__ import annotations

from contextlib import suppress

from share_actors.actors.runtime import stopped_systems, system_state
from share_actors.actors.runtime.calls import ENDINGS, Ending
from share_actors.actors.runtime.ray_errors import node_lives
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

        That is so if the system has ended, if another one has been started in its place, or if the Ray node
        has ended that this process is attached to, as it does when its cluster is lost.
        """
        ending: Ending | None = error.details.get("ended")
        if ending is None and error.details.get("passing") and not node_lives():
            ending = "unknown"
        successor = self._successor() if ending or error.details.get("passing") else None
        if successor is None and not ending:
            return error
        ending = self._recorded_ending() or ending or "unknown"
        what = f"the system of this connection {ENDINGS[ending]}"
        then = "Start it with `share-actors up`, then "
        if successor is not None:
            then = f"It runs again at {successor.address}: "
        return Unavailable(f"{what}{KEPT}{then}{RECONNECT}", ended=ending)

    def _recorded_ending(self) -> Ending | None:
        """How the system has ended, as far as this user's home says."""
        if self._recorded is None:
            return None
        if stopped_systems.was_stopped(default_home(), self._recorded):
            return "stopped"
        return "died" if self._recorded.ended is not None else None

    def _successor(self) -> SystemState | None:
        """The system that was started in place of this one, if it runs."""
        now = None if self._recorded is None else _recorded()
        if now is None or now.address is None or not now.alive:
            return None
        return None if self._recorded is None or now.has_head_of(self._recorded) else now


def _recorded() -> SystemState | None:
    with suppress(ConfigError):
        return system_state.read(default_home())
    return None
