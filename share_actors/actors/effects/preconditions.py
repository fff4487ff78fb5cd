"""Preconditions: a command that its backend can never carry out is refused before it is recorded."""

from __future__ import annotations

from typing import Any

from share_actors.actors.effects.backends import BackendDrivers
from share_actors.drivers.abilities import ManagesOnServers, MountableSnapshots, Reverts
from share_actors.drivers.base import ShareDriver
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
from share_actors.events.share.snapshot.access import AllowSnapshotAccess
from share_actors.events.share.snapshot.messages import CreateSnapshot, ManageSnapshot
from share_actors.events.share.unknown_deletion import DeleteUnknownShare


def backend_of(command: Command, state: ShareState) -> str | None:
    """The backend whose driver has to be asked about *command*; None if there is nothing to ask."""
    match command:
        case CreateShare(spec=spec) | ManageShare(spec=spec) | DeleteUnknownShare(spec=spec):
            return spec.backend
        case (
            AllowAccess()
            | ExtendShare()
            | ShrinkShare()
            | RevertToSnapshot()
            | ManageSnapshot()
            | CreateSnapshot()
        ):
            return state.share.backend
        case _:
            return None


def check(command: Command, state: ShareState, backends: BackendDrivers) -> None:
    """Raise `ShareActorsError` if the backend can never do what *command* requests."""
    name = backend_of(command, state)
    if name is None:
        return
    driver = backends.driver(name)
    match command:
        case CreateShare():
            _check_create(command, name, driver)
        case AllowSnapshotAccess() if not isinstance(driver, MountableSnapshots):
            raise _unsupported(name, "mount snapshots by themselves")
        case AllowAccess():
            _check_access(command, state.share.share_proto, name, driver)
        case ExtendShare():
            _require(name, driver, "extend_share")
        case ShrinkShare():
            _require(name, driver, "shrink_share")
        case RevertToSnapshot():
            _require_ability(name, driver, Reverts, "revert_to_snapshot")
        case ManageShare():
            _check_manage(command, name, driver)
        case DeleteUnknownShare() if driver.driver_handles_share_servers:
            raise Refused(
                f"backend {name} handles share servers: a share is deleted on its server alone. Manage it"
                " there with its share_server_id, then delete it",
                field="backend",
                value=name,
            )
        case ManageSnapshot() if state.share.share_network_id is not None:
            _require_ability(name, driver, ManagesOnServers, "manage_existing_snapshot")
        case ManageSnapshot():
            _require(name, driver, "manage_existing_snapshot")
        case CreateSnapshot():
            _require(name, driver, "create_snapshot")
        case _:
            pass


def _check_create(command: CreateShare, name: str, driver: ShareDriver) -> None:
    _require_value("protocol", command.spec.share_proto, driver.protocols, name)
    if command.source is None:
        return
    _require(name, driver, "create_share_from_snapshot")
    if command.size < command.source.size:
        text = (
            f"size: {command.size} GiB is less than the {command.source.size} GiB of snapshot"
            f" {command.source.id}"
        )
        raise InvalidRequest(text, field="size", value=command.size)


def _check_manage(command: ManageShare, name: str, driver: ShareDriver) -> None:
    server_id, servers = command.share_server_id, driver.driver_handles_share_servers
    if servers:
        _require_ability(name, driver, ManagesOnServers, "manage_existing")
    else:
        _require(name, driver, "manage_existing")
    if servers == (server_id is not None):
        return
    text = (
        f"share_server_id: backend {name} handles share servers: give the id of the one that has the data"
        if servers
        else f"share_server_id: backend {name} has no share servers, got {server_id!r}"
    )
    raise InvalidRequest(text, field="share_server_id", value=server_id)


def _check_access(command: AllowAccess, protocol: str, name: str, driver: ShareDriver) -> None:
    """As in Manila, whose error is `InvalidShareAccess`, or `InvalidShareAccessLevel`."""
    types = driver.supported_access(protocol)
    subject = f" for {protocol} shares (the rule is for {command.access_to!r})"
    _require_value("access_type", command.access_type, tuple(types), name, subject)
    if isinstance(command, AllowSnapshotAccess):
        return  # its only level, `ro`, says what a snapshot allows, not what the share does
    levels, kind = (
        types[command.access_type],
        f" for {command.access_type} rules of {protocol} shares",
    )
    _require_value("access_level", command.access_level, levels, name, kind)


def _require_value(
    field: str, value: str, supported: tuple[str, ...], name: str, subject: str = ""
) -> None:
    if value not in supported:
        values = ", ".join(supported) or "none"
        text = f"{field}: backend {name} supports {values}, not {value!r}{subject}"
        raise InvalidRequest(text, field=field, value=value)


def _require(name: str, driver: ShareDriver, method: str) -> None:
    if not driver.supports(method):
        raise _unsupported(name, method)


def _unsupported(name: str, method: str) -> Refused:
    return Refused(f"backend {name} cannot {method.replace('_', ' ')}", field="backend")


def _require_ability(name: str, driver: ShareDriver, ability: type[Any], method: str) -> None:
    if not isinstance(driver, ability):
        raise _unsupported(name, method)
