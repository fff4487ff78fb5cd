"""A share server: addresses, set-up, shares that come and go, teardown, addresses back.

absent -> creating -> active -> deleting -> deleted; what fails to be set up is torn down again, and what
cannot be torn down rests in error, with the reason, until it is tried again. One stream a server.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from share_actors.events import attempts
from share_actors.events.attempts import (
    Attempt,
    AttemptFailed,
    AttemptStarted,
    BeginAttempt,
    ReportFailure,
)
from share_actors.events.decider import Rejected, RequestJoined
from share_actors.events.share_server.messages import (
    AddressesAllocated,
    AllocateAddresses,
    AttachShare,
    ConfirmAddressesAllocated,
    ConfirmAddressesDeallocated,
    ConfirmSetUp,
    ConfirmTornDown,
    DeallocateAddresses,
    DeleteServer,
    DetachShare,
    RetryServer,
    ServerCommand,
    ServerDeleted,
    ServerDeletionRequested,
    ServerEffect,
    ServerErrored,
    ServerEvent,
    ServerRequested,
    ServerRetried,
    ServerSetUp,
    ServerSetUpFailed,
    ServerTornDown,
    SetUpServer,
    ShareAttached,
    ShareDetached,
    TearDownServer,
)
from share_actors.events.tombstones import Tombstones, add_tombstone
from share_actors.values import Frozen, ShareServer

__all__ = [
    "KIND", "STATE_VERSION",
    "decide", "evolve", "initial", "joins", "not_before", "part", "pending", "under_way", "view",
]  # fmt: skip
KIND = "share_server"
STATE_VERSION = 2


class ShareServerState(Frozen):
    """`addressed` and `torn` are steps that are behind it; `touched`: the driver was asked to set it up.

    `left` are shares that left for good: what still asks for them to be here is late.
    """

    left: Tombstones = {}
    server: ShareServer = ShareServer()
    addressed: bool = False
    touched: bool = False
    torn: bool = False
    attempt: Attempt | None = None


initial = ShareServerState()


# -- decide --------------------------------------------------------------------------------------
def decide(command: ServerCommand, state: ShareServerState) -> list[ServerEvent]:
    """The events that *command* comes to; raises `Rejected` when it makes no sense now."""
    match command:
        case AttachShare():
            return _attach(command, state)
        case DetachShare(share_id=i, at=at):  # also of a server that never came to be
            return [] if i in state.left else [ShareDetached(share_id=i, at=at)]
        case BeginAttempt():
            return [attempts.begin(command, pending(state), state.attempt)]
        case ReportFailure():
            return _failure(command, state)
        case ConfirmAddressesAllocated(addresses=addresses):
            attempts.require(state.attempt, "addresses")
            return [AddressesAllocated(addresses=addresses)]
        case ConfirmSetUp(details=details):
            attempts.require(state.attempt, "create")
            return [ServerSetUp(details=details)]
        case ConfirmTornDown():
            attempts.require(state.attempt, "delete")
            return [ServerTornDown()]
        case ConfirmAddressesDeallocated():
            attempts.require(state.attempt, "give_back")
            return [ServerDeleted()]
        case _ if state.server.status == "absent":
            raise Rejected("there is no such share server")
        case DeleteServer():
            return _delete(command, state.server)
        case RetryServer():
            if state.server.status != "error":
                raise Rejected(f"the share server is {state.server.status}, not in error")
            return [ServerRetried()]
        case _:
            assert_never(command)


def _attach(command: AttachShare, state: ShareServerState) -> list[ServerEvent]:
    server = state.server
    if command.share_id in state.left:
        raise Rejected(f"share {command.share_id} has left the share server")
    here = ShareAttached(share_id=command.share_id, ready=server.status == "active")
    if server.status == "absent":
        asked = {k: v for k, v in dict(command).items() if k != "share_id"}
        return [ServerRequested(**asked), here]
    if server.status not in ("creating", "active"):
        raise Rejected(f"the share server is {server.status}: it takes no more shares")
    return [] if command.share_id in server.shares else [here]


def _delete(command: DeleteServer, server: ShareServer) -> list[ServerEvent]:
    if server.status in ("deleting", "deleted"):
        return []
    if server.shares:
        used = f"{len(server.shares)} shares, such as {server.shares[0]}"
        raise Rejected(f"the share server is in use by {used} (ShareServerInUse)")
    if server.status == "error":
        return [ServerRetried()]
    asked, since = command.unused_since, server.unused_since
    if asked is not None and (since is None or since > asked):
        raise Rejected(f"the share server was in use until {since}")
    return [ServerDeletionRequested(why=command.why)]


def _failure(command: ReportFailure, state: ShareServerState) -> list[ServerEvent]:
    attempt = state.attempt
    if attempt is None:
        raise Rejected("no attempt is being made")
    failed = attempts.failed(command, attempt)
    if not isinstance(failed, str):
        return [failed]
    if attempt.effect in ("addresses", "create"):
        return [ServerSetUpFailed(reason=failed, details=command.details)]
    return [ServerErrored(reason=failed)]


# -- evolve --------------------------------------------------------------------------------------
def evolve(state: ShareServerState, event: ServerEvent) -> ShareServerState:
    """The state after *event*."""
    server = state.server
    match event:
        case AttemptStarted() | AttemptFailed():
            touched = state.touched or event.effect == "create"
            return state.replace(attempt=attempts.evolve(event, state.attempt), touched=touched)
        case RequestJoined():
            return state
        case ServerRequested():
            asked = dict(event)
            named = {"id": asked.pop("server_id"), "created_at": asked.pop("at")}
            return state.replace(server=ShareServer(**asked, **named, status="creating"))
        case ShareAttached(share_id=i):
            return _with(state, shares=(*server.shares, i), unused_since=None)
        case ShareDetached(share_id=i, at=at):
            staying = tuple(share for share in server.shares if share != i)
            gone = state.replace(left=add_tombstone(state.left, i))
            if staying == server.shares:
                return gone
            return _with(gone, shares=staying, unused_since=None if staying else at)
        case AddressesAllocated(addresses=addresses):
            settled = state.replace(addressed=True, attempt=None)
            return _with(settled, network_allocations=addresses)
        case ServerSetUp(details=details):
            status = "active" if server.status == "creating" else server.status
            return _with(state.replace(attempt=None), status=status, backend_details=details)
        case ServerSetUpFailed(reason=reason, details=details):
            known = {**server.backend_details, **details}
            going = _with(state.replace(attempt=None), status="deleting", status_reason=reason)
            return _with(going, backend_details=known, shares=())
        case ServerDeletionRequested():
            return _with(state, status="deleting")  # a set-up under way comes to its end first
        case ServerTornDown():
            return state.replace(torn=True, attempt=None)
        case ServerDeleted():
            gone = _with(state.replace(attempt=None), status="deleted", network_allocations=())
            return _with(gone, unused_since=None)
        case ServerErrored(reason=reason):
            return _with(state.replace(attempt=None), status="error", status_reason=reason)
        case ServerRetried():
            return _with(state, status="deleting")
        case _:
            assert_never(event)


def _with(state: ShareServerState, **changes: object) -> ShareServerState:
    return state.replace(server=state.server.replace(**changes))


# -- pending -------------------------------------------------------------------------------------
def pending(state: ShareServerState) -> ServerEffect | None:
    """The next step: addresses before the set-up, teardown before they go back."""
    match state.server.status:
        case "creating":
            return SetUpServer() if state.addressed else AllocateAddresses()
        case "deleting":
            return DeallocateAddresses() if state.torn or not state.touched else TearDownServer()
        case "absent" | "active" | "deleted" | "error":
            return None
        case _:
            assert_never(state.server.status)


# -- the rest of what the shell asks -------------------------------------------------------------
def view(state: ShareServerState) -> ShareServer:
    """The server as clients and drivers see it."""
    return state.server


def part(state: ShareServerState, works: tuple[str, ...]) -> Frozen | None:
    """Answers show it whole."""
    return None


def joins(command: ServerCommand, state: ShareServerState) -> str | None:
    """The work under way that *command* asks for once more."""
    match command:
        case AttachShare(share_id=i):
            return f"share/{i}"
        case DeleteServer():
            return "delete"
        case _:
            return None


def under_way(state: ShareServerState) -> bool:
    """Whether an attempt began whose outcome is not recorded."""
    return attempts.under_way(state.attempt)


def not_before(state: ShareServerState) -> datetime | None:
    """When the next attempt at what is owed is due; None: now."""
    attempt = state.attempt
    if attempt is None or attempt.retry_at is None:
        return None
    effect = pending(state)
    return attempt.retry_at if effect is not None and effect.key() == attempt.effect else None
