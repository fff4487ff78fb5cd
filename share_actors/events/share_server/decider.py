"""A share server: allocate addresses, set up, attach and detach shares, tear down, release addresses.

absent -> creating -> active -> deleting -> deleted. A server whose set-up fails is torn down; one whose
teardown fails is in error, with the reason, until the teardown is retried.
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
from share_actors.events.phrases import not_configured
from share_actors.events.share_server.messages import (
    AddressesAllocated,
    AllocateAddresses,
    AttachShare,
    ChangeServerBackend,
    ConfirmAddressesAllocated,
    ConfirmAddressesDeallocated,
    ConfirmSetUp,
    ConfirmTornDown,
    DeallocateAddresses,
    DeleteServer,
    DetachShare,
    ForgetServer,
    RetryServer,
    ServerBackendChanged,
    ServerCommand,
    ServerDeleted,
    ServerDeletionRequested,
    ServerEffect,
    ServerErrored,
    ServerEvent,
    ServerForgetRequested,
    ServerForgotten,
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
from share_actors.events.share_server.state import ShareServerState, initial, with_server
from share_actors.events.tombstones import add_tombstone
from share_actors.values import Frozen, ShareServer

__all__ = [
    "KIND",
    "STATE_VERSION",
    "ShareServerState",
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
KIND = "share_server"
STATE_VERSION = 3


# -- decide --------------------------------------------------------------------------------------
def decide(command: ServerCommand, state: ShareServerState) -> list[ServerEvent]:
    """Return the events of *command*; raises `Rejected` if it is not possible in *state*."""
    match command:
        case AttachShare():
            return _attach(command, state)
        case DetachShare(share_id=share_id):  # also before the server is created
            return [] if share_id in state.left else [ShareDetached(**dict(command))]
        case BeginAttempt():
            return [attempts.begin(command, pending(state), state.attempt)]
        case ReportFailure():
            return _report_failure(command, state)
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
            return [ServerForgotten() if state.forgotten else ServerDeleted()]
        case _ if state.server.status == "absent":
            raise Rejected("there is no such share server")
        case DeleteServer():
            return _delete(command, state)
        case ForgetServer(reason=reason):
            return _forget(reason, state.server)
        case ChangeServerBackend():
            return _change_backend(command, state.server)
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
    attached = ShareAttached(share_id=command.share_id, ready=server.status == "active")
    if server.status == "absent":
        fields = {k: v for k, v in dict(command).items() if k != "share_id"}
        return [ServerRequested(**fields), attached]
    if server.status not in ("creating", "active"):
        raise Rejected(f"the share server is {server.status} and accepts no more shares")
    return [] if command.share_id in server.shares else [attached]


def _delete(command: DeleteServer, state: ShareServerState) -> list[ServerEvent]:
    server = state.server
    if server.status in ("deleting", "deleted"):
        return []
    if server.status in ("unmanage_starting", "unmanaged"):
        raise Rejected(f"the share server is {server.status}: it is not managed here")
    _require_unused(server)
    if state.has_data and command.why != "asked":
        raise Rejected("the share server has data of shares that were unmanaged")
    if server.status == "error":
        return [ServerRetried()]
    required, since = command.unused_since, server.unused_since
    if required is not None and (since is None or since > required):
        raise Rejected(f"the share server was in use until {since}")
    return [ServerDeletionRequested(why=command.why)]


def _require_unused(server: ShareServer) -> None:
    """Manila's `ShareServerInUse`."""
    if server.shares:
        first, *others = server.shares
        users = f"{len(server.shares)} shares, such as {first}" if others else f"share {first}"
        raise Rejected(f"the share server is in use by {users} (ShareServerInUse)")


def _forget(reason: str, server: ShareServer) -> list[ServerEvent]:
    if server.status == "deleted":
        raise Rejected("the share server is deleted; there is nothing to forget")
    if server.status in ("unmanage_starting", "unmanaged"):
        return []
    _require_unused(server)
    return [ServerForgetRequested(reason=reason)]


def _change_backend(command: ChangeServerBackend, server: ShareServer) -> list[ServerEvent]:
    """The change, and a retry of what failed only because no backend had the old name."""
    if server.host == command.host or server.status in ("deleted", "unmanaged"):
        return []
    if server.backend != command.old:
        raise Rejected(f"the server is on backend {server.backend!r}, not on {command.old!r}")
    changed = ServerBackendChanged(old=command.old, host=command.host)
    reason, missing = server.status_reason or "", not_configured(command.old)
    failed = server.status == "error" and reason.startswith(missing)
    return [changed, ServerRetried()] if failed else [changed]


def _report_failure(command: ReportFailure, state: ShareServerState) -> list[ServerEvent]:
    attempt = state.attempt
    if attempt is None:
        raise Rejected("no attempt is in progress")
    failure = attempts.failed(command, attempt)
    if isinstance(failure, AttemptFailed):
        return [failure]
    if attempt.effect in ("addresses", "create"):
        return [ServerSetUpFailed(reason=failure, details=command.details)]
    return [ServerErrored(reason=failure)]


# -- evolve --------------------------------------------------------------------------------------
_EndEvent = (
    ServerDeletionRequested
    | ServerTornDown
    | ServerDeleted
    | ServerForgetRequested
    | ServerForgotten
)
"""The events by which a server leaves the system."""


def evolve(state: ShareServerState, event: ServerEvent) -> ShareServerState:
    """Return the state after *event*."""
    server = state.server
    match event:
        case AttemptStarted() | AttemptFailed():
            touched = state.touched or event.effect == "create"
            return state.replace(attempt=attempts.evolve(event, state.attempt), touched=touched)
        case RequestJoined():
            return state
        case ServerRequested():
            return state.replace(server=_requested_server(event))
        case ShareAttached(share_id=share_id):
            return with_server(state, shares=(*server.shares, share_id), unused_since=None)
        case ShareDetached(share_id=share_id, at=at, data_stay=stay):
            detached = _detached(share_id, at, state)
            return detached.replace(has_data=state.has_data or stay)
        case AddressesAllocated(addresses=addresses):
            addressed = state.replace(addressed=True, attempt=None)
            return with_server(addressed, network_allocations=addresses)
        case ServerSetUp(details=details):
            status = "active" if server.status == "creating" else server.status
            return with_server(state.replace(attempt=None), status=status, backend_details=details)
        case ServerSetUpFailed(reason=reason, details=details):
            merged = {**server.backend_details, **details}
            if state.forgotten:
                return with_server(state.replace(attempt=None), backend_details=merged)
            deleting = with_server(
                state.replace(attempt=None), status="deleting", status_reason=reason
            )
            return with_server(deleting, backend_details=merged, shares=())
        case ServerErrored() if state.forgotten and not _gave_back(state.attempt):
            return state.replace(attempt=None)  # of the driver's call before it was to be forgotten
        case ServerErrored(reason=reason):
            return with_server(state.replace(attempt=None), status="error", status_reason=reason)
        case ServerRetried():
            return with_server(state, status="unmanage_starting" if state.forgotten else "deleting")
        case ServerBackendChanged(host=host):
            return with_server(state, host=host)
        case _:
            return _evolve_at_the_end(state, event)


def _evolve_at_the_end(state: ShareServerState, event: _EndEvent) -> ShareServerState:
    """Return the state after *event*, by which the server is deleted or forgotten."""
    match event:
        case ServerDeletionRequested():
            return with_server(state, status="deleting")  # an attempt in progress ends first
        case ServerTornDown():
            return state.replace(torn=True, attempt=None)
        case ServerDeleted():
            deleted = with_server(state.replace(attempt=None), status="deleted", unused_since=None)
            return with_server(deleted, network_allocations=())
        case ServerForgetRequested(reason=reason):
            forgotten = state.replace(forgotten=True)
            return with_server(forgotten, status="unmanage_starting", status_reason=reason)
        case ServerForgotten():
            left = with_server(state.replace(attempt=None), status="unmanaged", unused_since=None)
            return with_server(left, network_allocations=())
        case _:
            assert_never(event)


def _gave_back(attempt: Attempt | None) -> bool:
    return attempt is not None and attempt.effect == "give_back"


def _requested_server(event: ServerRequested) -> ShareServer:
    fields = dict(event)
    renamed = {"id": fields.pop("server_id"), "created_at": fields.pop("at")}
    return ShareServer(**fields, **renamed, status="creating")


def _detached(share_id: str, at: datetime, state: ShareServerState) -> ShareServerState:
    shares = state.server.shares
    remaining = tuple(share for share in shares if share != share_id)
    left = state.replace(left=add_tombstone(state.left, share_id))
    if remaining == shares:
        return left
    return with_server(left, shares=remaining, unused_since=None if remaining else at)


# -- pending -------------------------------------------------------------------------------------
def pending(state: ShareServerState) -> ServerEffect | None:
    """Return the next step: addresses before the set-up, the teardown before their release."""
    match state.server.status:
        case "creating":
            return SetUpServer() if state.addressed else AllocateAddresses()
        case "deleting":
            return DeallocateAddresses() if state.torn or not state.touched else TearDownServer()
        case "unmanage_starting":
            return DeallocateAddresses()
        case "absent" | "active" | "deleted" | "error" | "unmanaged":
            return None
        case _:
            assert_never(state.server.status)


# -- for the shell -------------------------------------------------------------------------------
def owned(state: ShareServerState) -> ShareServer:
    """Return what says whose the server is."""
    return state.server


def view(state: ShareServerState) -> ShareServer:
    """Return the server as clients and drivers see it."""
    return state.server


def part(state: ShareServerState, works: tuple[str, ...]) -> Frozen | None:
    """Return None: replies hold the whole view."""
    return None


def joins(command: ServerCommand, state: ShareServerState) -> str | None:
    """Return the work in progress that a repeated *command* joins."""
    match command:
        case AttachShare(share_id=share_id):
            return f"share/{share_id}"
        case DeleteServer():
            return "delete"
        case ForgetServer():
            return "forget"
        case _:
            return None


def under_way(state: ShareServerState) -> bool:
    """Return whether an attempt is in progress."""
    return attempts.under_way(state.attempt)


def not_before(state: ShareServerState) -> datetime | None:
    """Return when the next attempt at the pending effect is due; None: now."""
    attempt = state.attempt
    if attempt is None or attempt.retry_at is None:
        return None
    effect = pending(state)
    return attempt.retry_at if effect is not None and effect.key() == attempt.effect else None
