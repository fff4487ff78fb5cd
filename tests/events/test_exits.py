"""Every state that can be reached has exits: explained, carried out, and seen to lead where they say.

Once with a backend that does what it is asked, once with a backend that is not configured any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest

from share_actors.actors.effects.share import without_backend
from share_actors.audit import exits
from share_actors.audit.exits import REASON, Exit
from share_actors.audit.explanation import explain
from share_actors.events import share
from share_actors.events.attempts import ReportFailure
from share_actors.events.decider import EPOCH, Command
from share_actors.events.share import ShareState
from share_actors.events.share.access import DenyAccess
from share_actors.events.share.failure import ERRORS
from share_actors.events.share.forgetting import ForgetShare
from share_actors.events.share.manage import ManageShare, UnmanageShare
from share_actors.events.share.messages import CreateShare, DeleteShare, RetryShare
from share_actors.events.share.server_attachment import ConfirmReleased, ReleaseServer
from share_actors.events.share.snapshot import lifecycle as snapshots
from share_actors.events.share.snapshot.cloning import (
    ConfirmSourceHeld,
    ConfirmSourceReleased,
    HoldSource,
    ReleaseSource,
)
from share_actors.events.share.snapshot.holds import HoldSnapshot, ReleaseSnapshot
from share_actors.events.share.snapshot.messages import (
    ConfirmSnapshotDeleted,
    DeleteSnapshot,
    ForgetSnapshot,
    UnmanageSnapshot,
)
from share_actors.values import ShareSpec, Snapshot
from tests.docs.state_diagram import ATTEMPTS, REQUESTS, success
from tests.events.reachable import Reached, decided, reachable
from tests.events.share_events import NOON

BEGIN, UNKNOWN = ATTEMPTS[0], ReportFailure(kind="unknown", reason="the process ended")
ON_NETWORK = CreateShare(
    share_id="s",
    size=2,
    at=EPOCH,
    spec=ShareSpec(host="b", project_id="p", user_id="u", share_network_id="net"),
)
FROM_SNAPSHOT = CreateShare(
    share_id="s",
    size=2,
    at=EPOCH,
    spec=ShareSpec(host="b", project_id="p", user_id="u"),
    source=Snapshot(id="o", share_id="parent", status="available"),
)
MANAGED = ManageShare(
    share_id="s", at=EPOCH, spec=ON_NETWORK.spec, driver_options={}, share_server_id="v"
)
HOLD = HoldSnapshot(snapshot_id="n", share_id="clone", number=1)
RELEASE = ReleaseSnapshot(snapshot_id="n", share_id="clone", number=2)
FIRST: dict[str, tuple[Command, ...]] = {
    "alone": (REQUESTS[0], HOLD),
    "on a share network": (ON_NETWORK,),
    "from a snapshot": (FROM_SNAPSHOT,),
    "managed on a share server": (MANAGED,),
}
MAX_STEPS = 16


@cache
def share_states(created: str) -> tuple[Reached, ...]:
    others = [r for r in REQUESTS[1:] if created == "alone" or not r.topic.startswith("snapshot.")]
    return tuple(reachable(share, (*FIRST[created], *others), _outcomes, _key))


def _key(state: ShareState) -> str:
    """What tells one state from another here: statuses, and what is being done."""
    share_key = (state.share.status, state.doing, state.share.share_server_id)
    on_server = (state.destroyed, state.withdrawn)
    attempt = state.attempt if share.under_way(state) else None
    rules = [(rule.state, i in state.rules.denied) for i, rule in state.rules.rules.items()]
    held = [(s.status, s.doing) for s in state.snapshots.held.values()]
    holds = (state.source_held, state.hold is not None, len(state.holds.by_share))
    return str((share_key, on_server, attempt and attempt.effect, rules, held, holds))


def _outcomes(state: ShareState) -> Sequence[Command]:
    outcome = success(state)
    return ATTEMPTS if outcome is None else (*ATTEMPTS, outcome)


all_kinds = pytest.mark.parametrize("created", [*FIRST])
backend = pytest.mark.parametrize("gone", [False, True], ids=["works", "is gone"])


# -- carrying it out -----------------------------------------------------------------------------
def exits_of(place: Reached, gone: bool) -> tuple[Exit, ...]:
    return exits.of_share(place.state, gone=gone)


def carry_out(way_out: Exit, place: Reached, gone: bool) -> Reached:
    """The place after the request that *way_out* names, and all work that is pending then."""
    if way_out.verb != "wait":
        command = request(way_out)
        after = decided(share, command, place, requested=True)
        assert after is not None, f"{way_out.how} is refused"
        place = after
    return finish(place, gone)


def request(way_out: Exit) -> Command:
    match way_out.of, way_out.verb:
        case "share", "retry":
            return RetryShare()
        case "share", "delete":
            return DeleteShare(cascade=True)
        case "share", "unmanage":
            return UnmanageShare()
        case "share", "forget":
            return ForgetShare(reason=REASON)
        case "rule", "deny":
            return DenyAccess(access_id=way_out.id)
        case "snapshot", "delete":
            return DeleteSnapshot(snapshot_id=way_out.id)
        case "snapshot", "unmanage":
            return UnmanageSnapshot(snapshot_id=way_out.id)
        case _:
            return ForgetSnapshot(snapshot_id=way_out.id, reason=REASON)


def finish(place: Reached, gone: bool) -> Reached:
    """The place when no work is pending any more: every attempt ends as the backend lets it."""
    for _ in range(MAX_STEPS):
        if share.under_way(place.state):
            place = _conclude(place, gone)
        elif share.pending(place.state) is None:
            released = decided(share, RELEASE, place, requested=False)
            if settled(place.state) or released is None:
                return place
            place = released  # the share that was created from the snapshot is done
        else:
            place = decided(share, BEGIN, place, requested=False) or place
    raise AssertionError("the work does not end")


def _conclude(place: Reached, gone: bool) -> Reached:
    """The place after the attempt in progress; a late outcome is ignored, and the attempt cut off."""
    outcome = _without_backend(place.state) if gone else success(place.state)
    assert outcome is not None
    after = decided(share, outcome, place, requested=False)
    if after is None and (dropped := _snapshot_dropped(place.state)) is not None:
        after = decided(share, dropped, place, requested=False)
    after = after or decided(share, UNKNOWN, place, requested=False)
    assert after is not None
    return after


def _snapshot_dropped(state: ShareState) -> Command | None:
    """The outcome of the attempt in progress if it deletes a snapshot; a retry may overtake it."""
    match [] if state.attempt is None else state.attempt.effect.split("/"):
        case ["snapshot", i, "delete"]:
            return ConfirmSnapshotDeleted(snapshot_id=i)
        case _:
            return None


def _without_backend(state: ShareState) -> Command:
    effect = share.pending(state)
    if effect is None:  # of an attempt that is not of interest any more
        return UNKNOWN
    match effect:
        case ReleaseServer():
            return ConfirmReleased()
        case ReleaseSource():
            return ConfirmSourceReleased()
        case HoldSource():
            return ConfirmSourceHeld()
        case _:
            return without_backend(effect, "gone")


def failed(state: ShareState) -> bool:
    if state.share.status in ERRORS:
        return True
    rules, held = state.rules.rules.values(), state.snapshots.held.values()
    return any(r.state == "error" for r in rules) or any(s.status in snapshots.ERRORS for s in held)


def settled(state: ShareState) -> bool:
    """Whether nothing is wrong, and nothing is to be done."""
    ended = state.share.status in ("available", "deleted", "unmanaged")
    at_rest = all(s.status == "available" for s in state.snapshots.held.values())
    return ended and at_rest and share.pending(state) is None and not failed(state)


def led_out(way_out: Exit, state: ShareState) -> bool:
    """Whether *way_out* led where it says."""
    match way_out.of, way_out.verb:
        case "share", "wait":
            return share.pending(state) is None
        case "share", "retry":
            return settled(state)
        case "share", "delete":
            return state.share.status == "deleted"
        case "share", _:
            return state.share.status == "unmanaged"
        case "rule", _:
            return way_out.id not in state.rules.rules
        case _:
            return way_out.id not in state.snapshots.held


# -- tests ---------------------------------------------------------------------------------------
@all_kinds
@backend
def test_every_exit_that_a_share_is_explained_to_have_works(created: str, gone: bool) -> None:
    for place in share_states(created):
        for way_out in exits_of(place, gone):
            after = carry_out(way_out, place, gone).state
            assert led_out(way_out, after), f"{way_out} from {place.state} leads to {after}"


@all_kinds
@backend
def test_an_explanation_names_the_exits_of_the_state(created: str, gone: bool) -> None:
    backends = () if gone else ("b",)
    for place in {place.state.share.status: place for place in share_states(created)}.values():
        assert explain(place.history(), NOON, backends=backends).exits == exits_of(place, gone)


@all_kinds
def test_every_share_that_is_not_well_has_an_exit_that_ends_it(created: str) -> None:
    for place in share_states(created):
        ends = {e.verb for e in exits_of(place, gone=False) if e.of == "share"}
        assert settled(place.state) or ends & {"delete", "unmanage", "forget", "wait"}, place.state


@all_kinds
def test_every_share_whose_backend_is_gone_can_be_given_up(created: str) -> None:
    for place in share_states(created):
        if place.state.share.status not in ("deleted", "unmanaged"):
            assert exits_of(place, gone=True), place.state


@all_kinds
def test_the_first_exits_one_after_the_other_lead_to_a_share_that_is_well(created: str) -> None:
    for start in share_states(created):
        place = start
        for _ in range(3):
            if settled(place.state):
                break
            place = carry_out(exits_of(place, gone=False)[0], place, gone=False)
        assert settled(place.state), start.state
