"""Every state of a share server and of a share network has exits that work; see `test_exits.py`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest

from share_actors.audit import exits
from share_actors.audit.entity_explanation import explain_network, explain_server
from share_actors.audit.exits import REASON, Exit
from share_actors.events import share_network, share_server
from share_actors.events.attempts import BeginAttempt, ReportFailure
from share_actors.events.decider import EPOCH, Command
from share_actors.events.share_network import (
    AssignServer,
    CreateShareNetwork,
    DeleteShareNetwork,
    GrantAddresses,
    RejectShare,
    ReleaseAddresses,
    RetireServer,
    UnassignShare,
)
from share_actors.events.share_server import (
    AttachShare,
    ConfirmAddressesAllocated,
    ConfirmAddressesDeallocated,
    ConfirmSetUp,
    ConfirmTornDown,
    DeleteServer,
    DetachShare,
    ForgetServer,
    RetryServer,
    ShareServerState,
)
from tests.events.reachable import Reached, decided, reachable
from tests.events.share_events import NOON

ATTACH = AttachShare(
    share_id="s", server_id="v", host="b", share_network_id="n", project_id="p", at=EPOCH
)
DETACH = DetachShare(share_id="s", at=EPOCH)
REQUESTS = (ATTACH, DETACH, DeleteServer(), RetryServer(), ForgetServer(reason=REASON))
BEGIN = BeginAttempt(activation="a", timeout_s=1.0)
FAILED = ReportFailure(kind="failed", reason="broken")
SUCCESSES: dict[str, Command] = {
    "addresses": ConfirmAddressesAllocated(addresses=("10.0.0.2",)),
    "create": ConfirmSetUp(details={}),
    "delete": ConfirmTornDown(),
    "give_back": ConfirmAddressesDeallocated(),
}
ENDS = ("deleted", "unmanaged")
backend = pytest.mark.parametrize("gone", [False, True], ids=["works", "is gone"])


# -- share servers -------------------------------------------------------------------------------
@cache
def server_states() -> tuple[Reached, ...]:
    return tuple(reachable(share_server, REQUESTS, _outcomes, _key))


def _outcomes(state: ShareServerState) -> Sequence[Command]:
    attempt = state.attempt
    return (BEGIN, FAILED) if attempt is None else (BEGIN, FAILED, SUCCESSES[attempt.effect])


def _key(state: ShareServerState) -> str:
    server, attempt = state.server, state.attempt
    at_work = attempt.effect if attempt is not None and attempt.kind is None else None
    steps = (state.addressed, state.touched, state.torn, state.forgotten)
    return str((server.status, server.shares, tuple(state.left), steps, at_work))


def finish(place: Reached, gone: bool) -> Reached:
    """The place when no work is pending any more; without its backend every driver call fails."""
    for _ in range(12):
        state: ShareServerState = place.state
        if share_server.under_way(state):
            assert state.attempt is not None
            calls_no_driver = state.forgotten and state.attempt.effect == "give_back"
            works = calls_no_driver or not gone
            outcome = SUCCESSES[state.attempt.effect] if works else FAILED
            place = decided(share_server, outcome, place, requested=False) or place
        elif share_server.pending(state) is None:
            return place
        else:
            place = decided(share_server, BEGIN, place, requested=False) or place
    raise AssertionError("the work does not end")


def carry_out(way_out: Exit, place: Reached, gone: bool) -> Reached:
    if way_out.verb != "wait":
        after = decided(share_server, request(way_out), place, requested=True)
        assert after is not None, f"{way_out.how} is refused"
        place = after
    return finish(place, gone)


def request(way_out: Exit) -> Command:
    match way_out.of, way_out.verb:
        case "share", _:
            return DetachShare(share_id=way_out.id, at=EPOCH)
        case _, "retry":
            return RetryServer()
        case _, "delete":
            return DeleteServer()
        case _:
            return ForgetServer(reason=REASON)


@backend
def test_every_exit_that_a_share_server_is_explained_to_have_works(gone: bool) -> None:
    for place in server_states():
        for way_out in exits.of_server(place.state, gone=gone):
            server = carry_out(way_out, place, gone).state.server
            if way_out.of == "share":
                assert way_out.id not in server.shares
            elif way_out.verb == "wait":
                assert server.status in (*ENDS, "active")
            else:
                assert server.status in ENDS, f"{way_out} from {place.state} leads to {server}"


@backend
def test_the_last_exits_one_after_the_other_end_every_share_server(gone: bool) -> None:
    for start in server_states():
        place = start
        for _ in range(4):
            ways_out = exits.of_server(place.state, gone=gone)
            if place.state.server.status in ("absent", *ENDS) or not ways_out:
                break
            place = carry_out(ways_out[-1], place, gone)
        allowed = ENDS if gone else (*ENDS, "active")
        assert place.state.server.status in ("absent", *allowed), start.state


@backend
def test_a_server_is_explained_with_the_exits_of_its_state(gone: bool) -> None:
    backends = () if gone else ("b",)
    for place in {p.state.server.status: p for p in server_states()}.values():
        if place.state.server.status != "absent":
            explanation = explain_server(place.history(), NOON, backends)
            assert explanation.status == place.state.server.status
            assert explanation.exits == exits.of_server(place.state, gone=gone)


def test_a_server_in_use_is_explained_with_the_shares_that_have_to_go_first() -> None:
    [place] = [p for p in server_states() if p.state.server.status == "active" and p.before][:1]

    explanation = explain_server(place.history(), NOON, backends=("other",))

    assert [(e.verb, e.of, e.id) for e in explanation.exits] == [("forget", "share", "s")]
    assert "Backend 'b' is not configured" in explanation.advice[0]


# -- share networks ------------------------------------------------------------------------------
CREATE = CreateShareNetwork(
    network_id="n", cidr="10.0.0.0/29", project_id="p", user_id="u", at=EPOCH
)
NETWORK_REQUESTS = (
    CREATE,
    DeleteShareNetwork(),
    AssignServer(share_id="s", backend="b", new_server_id="v"),
    AssignServer(share_id="t", backend="b", new_server_id="w"),
    GrantAddresses(server_id="v", count=1),
    RetireServer(server_id="v"),
    RejectShare(share_id="s"),
    UnassignShare(share_id="s"),
    ReleaseAddresses(server_id="v"),
)


@cache
def network_states() -> tuple[Reached, ...]:
    return tuple(reachable(share_network, NETWORK_REQUESTS, lambda _: (), str))


@backend
def test_the_exits_of_every_share_network_lead_to_its_end(gone: bool) -> None:
    for start in network_states():
        place, state = start, start.state
        while state.network.status != "deleted":
            way_out = exits.of_network(place.state, gone=("b",) if gone else ())[0]
            for command in _leave(way_out):
                place = decided(share_network, command, place, requested=True) or place
            assert place.state != state, f"{way_out} changes nothing in {state}"
            state = place.state


def _leave(way_out: Exit) -> tuple[Command, ...]:
    """What a share or a server that is deleted or forgotten asks of its network; or the deletion."""
    match way_out.of:
        case "share":
            return RejectShare(share_id=way_out.id), UnassignShare(share_id=way_out.id)
        case "server":
            return (ReleaseAddresses(server_id=way_out.id),)
        case _:
            return (DeleteShareNetwork(),)


def test_a_network_on_a_backend_that_is_gone_is_explained_with_what_can_be_forgotten() -> None:
    [place] = [p for p in network_states() if p.state.network.shares == {"s": "v"}][:1]

    explanation = explain_network(place.history(), backends=("other",))

    assert explanation.summary == "status active; shares on it: 1, share servers: 1"
    assert [(e.verb, e.of, e.id) for e in explanation.exits] == [("forget", "share", "s")]
