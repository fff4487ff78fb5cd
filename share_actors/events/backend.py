"""A backend: the changes of its capabilities and status, and the settings its shares were ensured for.

absent -> up <-> down; or renamed, as long as no backend of this name reports again. Its stats actor
reports every period; only changes are recorded as events.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, assert_never

from pydantic import Field

from share_actors.events.decider import EPOCH, Command, Event, Rejected
from share_actors.events.news import cause, causes, differ
from share_actors.events.no_effects import joins, not_before, part, pending, under_way
from share_actors.values import BackendState, Capabilities
from share_actors.values.checks.fields import Reason

__all__ = [
    "KIND",
    "STATE_VERSION",
    "decide",
    "evolve",
    "initial",
    "joins",
    "not_before",
    "owned",
    "part",
    "pending",
    "under_way",
    "view",
]
KIND = "backend"
STATE_VERSION = 4
MAX_CAUSES = 5
"""How many different causes of one outage are recorded; `status` shows the latest one in any case."""


# -- commands ------------------------------------------------------------------------------------
class ReportStats(Command, topic="backend.report_stats"):
    """Report the driver's statistics. *wrong*: the invalid values, by field; *problems* of its daemons."""

    from_outside: ClassVar[bool] = False

    backend: str
    capabilities: Capabilities
    wrong: dict[str, str] = Field(default_factory=dict)
    problems: tuple[str, ...] = ()
    info: str | None = None
    at: datetime = EPOCH


class ReportSilence(Command, topic="backend.report_silence"):
    """Report that the driver raised an error, did not reply, or cannot be set up."""

    from_outside: ClassVar[bool] = False

    backend: str
    reason: str
    at: datetime = EPOCH


class RenameBackend(Command, topic="backend.rename"):
    """The backend is called *new* from now on; its storage is the same."""

    backend: str
    new: str
    at: datetime = EPOCH


class ConfirmShares(Command, topic="backend.confirm_shares"):
    """Confirm that all shares of the backend were ensured for *info*, a digest of its settings."""

    info: str
    shares: int


class MoveBackend(Command, topic="backend.move"):
    """Pin the backend to the Ray resource *node* instead of *configured*, which the configuration names."""

    backend: str
    configured: str
    node: str
    reason: Reason | None = None
    at: datetime = EPOCH


class PinBackend(Command, topic="backend.pin"):
    """The configuration pins the backend to the Ray resource *configured*, or to none."""

    backend: str
    configured: str | None


# -- events --------------------------------------------------------------------------------------
class BackendUp(Event, topic="backend.up"):
    """The backend reports statistics, for the first time or again."""

    schema_version: ClassVar[int] = 3

    backend: str
    capabilities: Capabilities
    wrong: dict[str, str]
    at: datetime


class BackendChanged(Event, topic="backend.changed"):
    """Its capabilities changed."""

    schema_version: ClassVar[int] = 3

    capabilities: Capabilities
    wrong: dict[str, str]
    at: datetime


class BackendDown(Event, topic="backend.down"):
    """The backend does not report statistics."""

    backend: str
    reason: str
    at: datetime


class BackendUnhealthy(Event, topic="backend.unhealthy"):
    """The backend has problems, one sentence each, or other ones than before; it may still serve clients."""

    problems: tuple[str, ...]
    at: datetime


class BackendHealthy(Event, topic="backend.healthy"):
    """The backend has no problems any more."""

    at: datetime


class BackendRenamed(Event, topic="backend.renamed"):
    """The backend is called *new* from now on; its shares, share servers and networks follow."""

    backend: str
    new: str
    at: datetime


class BackendInfoChanged(Event, topic="backend.info_changed"):
    """The backend's settings changed, so its shares have to be ensured."""

    info: str


class BackendSharesEnsured(Event, topic="backend.shares_ensured"):
    """All its shares were ensured for *info*."""

    info: str
    shares: int


class BackendMoved(Event, topic="backend.moved"):
    """The backend is pinned to the Ray resource *node*, as long as the configuration names *configured*."""

    backend: str
    configured: str
    node: str
    reason: str | None
    at: datetime


class BackendMoveEnded(Event, topic="backend.move_ended"):
    """The configuration says again what the backend is pinned to: the Ray resource *configured*, if any."""

    configured: str | None


class BackendPinned(Event, topic="backend.pinned"):
    """The configuration pins the backend to the Ray resource *configured*, if any, and did not before."""

    backend: str
    configured: str | None


BackendCommand = (
    ReportStats | ReportSilence | RenameBackend | ConfirmShares | MoveBackend | PinBackend
)
BackendEvent = (
    BackendUp
    | BackendChanged
    | BackendDown
    | BackendUnhealthy
    | BackendHealthy
    | BackendRenamed
    | BackendInfoChanged
    | BackendSharesEnsured
    | BackendMoved
    | BackendMoveEnded
    | BackendPinned
)
initial = BackendState()


def decide(command: BackendCommand, state: BackendState) -> list[BackendEvent]:
    """Return the events of *command*, none if nothing changed; raises `Rejected` for an outdated info."""
    match command:
        case ReportStats():
            reported = [*_stats_events(command, state), *_health_events(command, state)]
            return [*reported, *_info_events(command.info, state)]
        case ReportSilence():
            return _silence_events(command, state)
        case RenameBackend():
            return _rename(command, state)
        case ConfirmShares(info=info, shares=shares):
            if info != state.info:
                raise Rejected("the backend's info has changed since")
            return [] if info == state.ensured else [BackendSharesEnsured(info=info, shares=shares)]
        case MoveBackend():
            return _move(command, state)
        case PinBackend():
            return _pin(command, state)
        case _:
            assert_never(command)


def _rename(command: RenameBackend, state: BackendState) -> list[BackendEvent]:
    if state.status != "renamed":
        return [BackendRenamed(backend=command.backend, new=command.new, at=command.at)]
    if state.renamed_to != command.new:
        raise Rejected(f"it was renamed to {state.renamed_to!r} already")
    return []


def _move(command: MoveBackend, state: BackendState) -> list[BackendEvent]:
    is_moved = state.node is not None and state.moved_from == command.configured
    if command.node == (state.node if is_moved else command.configured):
        return []
    return [BackendMoved(**dict(command))]


def _pin(command: PinBackend, state: BackendState) -> list[BackendEvent]:
    """A backend that has not reported yet has nothing anywhere."""
    if state.node is not None:
        ends = command.configured != state.moved_from
        return [BackendMoveEnded(configured=command.configured)] if ends else []
    if state.status == "absent" or command.configured == state.pinned:
        return []
    return [BackendPinned(**dict(command))]


def _stats_events(command: ReportStats, state: BackendState) -> list[BackendEvent]:
    report = {"capabilities": command.capabilities, "wrong": command.wrong, "at": command.at}
    if state.status != "up":
        return [BackendUp(backend=command.backend, **report)]
    if state.capabilities is None or differ(state.capabilities, command.capabilities):
        return [BackendChanged(**report)]
    return []


def _health_events(command: ReportStats, state: BackendState) -> list[BackendEvent]:
    """News of the problems; those of the same causes are none."""
    if causes(state.problems) == causes(command.problems):
        return []
    if not command.problems:
        return [BackendHealthy(at=command.at)]
    return [BackendUnhealthy(problems=command.problems, at=command.at)]


def _silence_events(command: ReportSilence, state: BackendState) -> list[BackendEvent]:
    """Each cause of an outage is recorded once, however its text varies."""
    if state.status == "down":
        known = state.causes
        if len(known) >= MAX_CAUSES or cause(command.reason) in known:
            return []
    return [BackendDown(backend=command.backend, reason=command.reason, at=command.at)]


def _info_events(info: str | None, state: BackendState) -> list[BackendEvent]:
    return [] if info is None or info == state.info else [BackendInfoChanged(info=info)]


def evolve(state: BackendState, event: BackendEvent) -> BackendState:
    """Return the state after *event*."""
    match event:
        case BackendUp(backend=name, capabilities=capabilities, at=at):
            up = state.replace(id=name, status="up", reason=None, since=at, causes=())
            return up.replace(capabilities=capabilities, renamed_to=None)
        case BackendChanged(capabilities=capabilities):
            return state.replace(capabilities=capabilities)
        case BackendDown(backend=name, reason=reason, at=at):
            since = state.since if state.status == "down" else at
            causes = tuple(dict.fromkeys((*state.causes, cause(reason))))[:MAX_CAUSES]
            down = state.replace(id=name, status="down", reason=reason, since=since, problems=())
            return down.replace(causes=causes, renamed_to=None)
        case BackendUnhealthy(problems=problems):
            return state.replace(problems=problems)
        case BackendHealthy():
            return state.replace(problems=())
        case BackendRenamed(backend=name, new=new, at=at):
            renamed = state.replace(id=name, status="renamed", since=at, renamed_to=new)
            return renamed.replace(reason=f"renamed to {new}")
        case BackendInfoChanged(info=info):
            return state.replace(info=info)
        case BackendSharesEnsured(info=info):
            return state.replace(ensured=info)
        case BackendMoved(backend=name, configured=configured, node=node):
            moved = _elsewhere(state, configured).replace(id=name)
            is_back = node == configured
            return moved if is_back else moved.replace(node=node, moved_from=configured)
        case BackendMoveEnded(configured=configured) | BackendPinned(configured=configured):
            return _elsewhere(state, configured)
        case _:
            assert_never(event)


def _elsewhere(state: BackendState, configured: str | None) -> BackendState:
    """*state* where the configuration says: its shares have to be exported there."""
    ensured = None if state.info is None else ""
    return state.replace(node=None, moved_from=None, pinned=configured, ensured=ensured)


def owned(state: BackendState) -> BackendState:
    """Return what says whose the backend is."""
    return state


def view(state: BackendState) -> BackendState:
    """Return the backend as clients see it."""
    return state
