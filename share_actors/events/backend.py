"""A backend: what became known of it, as far as it changed, and for which of its states shares were ensured.

absent -> up <-> down. Its stats actor reports every period; only what changed is an event.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import assert_never

from share_actors.events.decider import EPOCH, Command, Event, Rejected
from share_actors.events.no_effects import joins, not_before, part, pending, under_way
from share_actors.events.phrases import listed
from share_actors.values import BackendState, Capabilities

__all__ = [
    "KIND", "STATE_VERSION",
    "decide", "evolve", "initial", "joins", "not_before", "part", "pending", "under_way", "view",
]  # fmt: skip
KIND = "backend"
STATE_VERSION = 1
WORTH_TELLING = 0.1
"""A pool's capacity that changed by so much of its total is an event of its own."""


# -- commands ------------------------------------------------------------------------------------
class ReportStats(Command):
    """The driver answered. *wrong*: what of it made no sense, by field."""

    backend: str
    capabilities: Capabilities
    wrong: dict[str, str] = {}
    info: str | None = None
    at: datetime = EPOCH


class ReportSilence(Command):
    """The driver raised, or did not answer, or cannot be set up."""

    backend: str
    reason: str
    at: datetime = EPOCH


class ConfirmShares(Command):
    """All shares of the backend were ensured for the state that *info* stands for."""

    info: str
    shares: int


# -- events --------------------------------------------------------------------------------------
class BackendUp(Event):
    """It answers: for the first time, or again."""

    backend: str
    capabilities: Capabilities
    wrong: dict[str, str]
    at: datetime


class BackendChanged(Event):
    """It says something else of itself than before."""

    capabilities: Capabilities
    wrong: dict[str, str]
    at: datetime


class BackendDown(Event):
    backend: str
    reason: str
    at: datetime


class BackendInfoChanged(Event):
    """Its configuration is another than the one that its shares were exported under."""

    info: str


class BackendSharesEnsured(Event):
    info: str
    shares: int


BackendCommand = ReportStats | ReportSilence | ConfirmShares
BackendEvent = BackendUp | BackendChanged | BackendDown | BackendInfoChanged | BackendSharesEnsured
initial = BackendState()


def decide(command: BackendCommand, state: BackendState) -> list[BackendEvent]:
    """The events that *command* comes to: none when all is as it was."""
    match command:
        case ReportStats():
            return [*_stats(command, state), *_info(command.info, state)]
        case ReportSilence(backend=backend, reason=reason, at=at):
            if state.status == "down" and state.reason == reason:
                return []
            return [BackendDown(backend=backend, reason=reason, at=at)]
        case ConfirmShares(info=info, shares=shares):
            if info != state.info:
                raise Rejected("the backend's info has changed since")
            return [] if info == state.ensured else [BackendSharesEnsured(info=info, shares=shares)]
        case _:
            assert_never(command)


def _stats(command: ReportStats, state: BackendState) -> list[BackendEvent]:
    told = {"capabilities": command.capabilities, "wrong": command.wrong, "at": command.at}
    if state.status != "up":
        return [BackendUp(backend=command.backend, **told)]
    if state.capabilities is None or _worth_telling(state.capabilities, command.capabilities):
        return [BackendChanged(**told)]
    return []


def _worth_telling(before: Capabilities, now: Capabilities) -> bool:
    if _features(before) != _features(now):
        return True
    for old, new in zip(before.pools, now.pools, strict=True):
        moved = (
            abs(old.free_capacity_gib - new.free_capacity_gib),
            abs(old.allocated_capacity_gib - new.allocated_capacity_gib),
        )
        if max(moved) > WORTH_TELLING * new.total_capacity_gib:
            return True
    return False


def _features(said: Capabilities) -> Capabilities:
    """All but what changes with every share."""
    still = {
        "free_capacity_gib": 0.0,
        "allocated_capacity_gib": 0.0,
        "provisioned_capacity_gib": 0.0,
    }
    return said.replace(pools=tuple(pool.replace(**still, goodness=0.0) for pool in said.pools))


def _info(info: str | None, state: BackendState) -> list[BackendEvent]:
    return [] if info is None or info == state.info else [BackendInfoChanged(info=info)]


def evolve(state: BackendState, event: BackendEvent) -> BackendState:
    """The state after *event*."""
    match event:
        case BackendUp(backend=i, capabilities=said, at=at):
            return state.replace(id=i, status="up", reason=None, since=at, capabilities=said)
        case BackendChanged(capabilities=said):
            return state.replace(capabilities=said)
        case BackendDown(backend=i, reason=reason, at=at):
            return state.replace(id=i, status="down", reason=reason, since=at)
        case BackendInfoChanged(info=info):
            return state.replace(info=info)
        case BackendSharesEnsured(info=info):
            return state.replace(ensured=info)
        case _:
            assert_never(event)


def view(state: BackendState) -> BackendState:
    """The backend as clients see it."""
    return state


# -- sentences ---------------------------------------------------------------------------------
def sentence(event: BackendEvent, who: str) -> str:
    match event:
        case BackendUp(backend=i, capabilities=said, wrong=wrong):
            return f"backend {i} is up: {_said(said)}{_wrong(wrong)}"
        case BackendChanged(capabilities=said, wrong=wrong):
            return f"it tells something else of itself: {_said(said)}{_wrong(wrong)}"
        case BackendDown(backend=i, reason=reason):
            return f"backend {i} is down: {reason}"
        case BackendInfoChanged():
            return "its shares are to be exported as it is now"
        case BackendSharesEnsured(shares=shares):
            return f"{shares} of its shares are exported as it is now"
        case _:
            assert_never(event)


def _said(said: Capabilities) -> str:
    pools = [
        f"{p.name} {p.free_capacity_gib:g} of {p.total_capacity_gib:g} GiB free" for p in said.pools
    ]
    return listed(pools) if pools else "no pool"


def _wrong(wrong: Mapping[str, str]) -> str:
    if not wrong:
        return ""
    return f"; what made no sense: {listed(f'{field} {why}' for field, why in wrong.items())}"
