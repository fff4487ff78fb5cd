"""Preconditions: a command that its backend can never carry out is refused before it is recorded."""

from __future__ import annotations

from share_actors.actors.effects.backends import BackendDriver, BackendDrivers
from share_actors.drivers.abilities import Reverts
from share_actors.errors import InvalidRequest, Refused
from share_actors.events.decider import Command
from share_actors.events.share import ShareState
from share_actors.events.share.access import AllowAccess
from share_actors.events.share.manage import ManageShare
from share_actors.events.share.messages import (
    CreateShare,
    ExtendShare,
    RevertToSnapshot,
    ShrinkShare,
)
from share_actors.events.share.snapshot_messages import CreateSnapshot, ManageSnapshot


def check(command: Command, state: ShareState, backends: BackendDrivers) -> None:
    """Raise `ShareActorsError` if the backend can never do what *command* requests."""
    match command:
        case CreateShare():
            _check_create(command, backends.get(command.spec.backend))
        case AllowAccess():
            _check_access(command, backends.get(state.share.backend))
        case ExtendShare():
            _require(backends.get(state.share.backend), "extend_share")
        case ShrinkShare():
            _require(backends.get(state.share.backend), "shrink_share")
        case RevertToSnapshot():
            backend = backends.get(state.share.backend)
            if not isinstance(backend.driver, Reverts):
                raise _unsupported(backend, "revert_to_snapshot")
        case ManageShare(spec=spec):
            backend = backends.get(spec.backend)
            _require(backend, "manage_existing")
            _require_no_servers(backend)
        case ManageSnapshot():
            _require(backends.get(state.share.backend), "manage_existing_snapshot")
        case CreateSnapshot():
            _require(backends.get(state.share.backend), "create_snapshot")
        case _:
            pass


def _check_create(command: CreateShare, backend: BackendDriver) -> None:
    _require_value("protocol", command.spec.share_proto, backend.driver.protocols, backend)
    if command.source is None:
        return
    _require(backend, "create_share_from_snapshot")
    if command.size < command.source.size:
        text = (
            f"size: {command.size} GiB is less than the {command.source.size} GiB of snapshot"
            f" {command.source.id}"
        )
        raise InvalidRequest(text, field="size", value=command.size)


def _check_access(command: AllowAccess, backend: BackendDriver) -> None:
    types, levels = backend.driver.access_types, backend.driver.access_levels
    client = f" (for {command.access_to!r})"
    _require_value("access_type", command.access_type, types, backend, client)
    _require_value("access_level", command.access_level, levels, backend)


def _require_value(
    field: str, value: str, supported: tuple[str, ...], backend: BackendDriver, subject: str = ""
) -> None:
    if value not in supported:
        values = ", ".join(supported)
        text = f"{field}: backend {backend.name} supports {values}, not {value!r}{subject}"
        raise InvalidRequest(text, field=field, value=value)


def _require(backend: BackendDriver, method: str) -> None:
    if not backend.driver.supports(method):
        raise _unsupported(backend, method)


def _unsupported(backend: BackendDriver, method: str) -> Refused:
    return Refused(f"backend {backend.name} cannot {method.replace('_', ' ')}", field="backend")


def _require_no_servers(backend: BackendDriver) -> None:
    """As in Manila, where shares on share servers are created by it, and never managed."""
    if backend.driver.driver_handles_share_servers:
        text = f"backend {backend.name} handles share servers: its shares cannot be managed"
        raise Refused(text, field="backend", value=backend.name)
