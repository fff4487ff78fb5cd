"""What a backend could never do is refused before anything is recorded."""

from __future__ import annotations

from share_actors.actors.effects.backends import BackendDriver, BackendDrivers
from share_actors.errors import InvalidRequest, Refused
from share_actors.events.decider import Command
from share_actors.events.share import ShareState
from share_actors.events.share.access import AllowAccess
from share_actors.events.share.manage import ManageShare
from share_actors.events.share.messages import CreateShare, ExtendShare, ShrinkShare
from share_actors.events.share.snapshot_messages import CreateSnapshot, ManageSnapshot


def check(command: Command, state: ShareState, backends: BackendDrivers) -> None:
    """Raise `ShareActorsError` when the backend could never do what *command* asks."""
    match command:
        case CreateShare(host=host, share_proto=proto, source=source):
            backend = backends.get(host.partition("#")[0])
            _one_of("protocol", proto, backend.driver.protocols, backend)
            if source is not None:
                _supports(backend, "create_share_from_snapshot")
                _large_enough(command)
        case AllowAccess(access_type=kind, access_to=to, access_level=level):
            backend = backends.get(state.share.backend)
            _one_of("access_type", kind, backend.driver.access_types, backend, f" (for {to!r})")
            _one_of("access_level", level, backend.driver.access_levels, backend)
        case ExtendShare():
            _supports(backends.get(state.share.backend), "extend_share")
        case ShrinkShare():
            _supports(backends.get(state.share.backend), "shrink_share")
        case ManageShare(host=host):
            backend = backends.get(host.partition("#")[0])
            _supports(backend, "manage_existing")
            _manages_no_servers(backend)
        case ManageSnapshot():
            _supports(backends.get(state.share.backend), "manage_existing_snapshot")
        case CreateSnapshot():
            _supports(backends.get(state.share.backend), "create_snapshot")
        case _:
            pass


def _one_of(
    field: str, value: str, known: tuple[str, ...], backend: BackendDriver, more: str = ""
) -> None:
    if value not in known:
        raise InvalidRequest(
            f"{field}: backend {backend.name} knows {', '.join(known)}, not {value!r}{more}",
            field=field, value=value,
        )  # fmt: skip


def _supports(backend: BackendDriver, method: str) -> None:
    if not backend.driver.supports(method):
        raise Refused(f"backend {backend.name} cannot {method.replace('_', ' ')}", field="backend")


def _manages_no_servers(backend: BackendDriver) -> None:
    """As in Manila, where shares on share servers are made by them, and not found there."""
    if backend.driver.driver_handles_share_servers:
        raise Refused(
            f"backend {backend.name} handles share servers: what is there cannot be managed",
            field="backend", value=backend.name,
        )  # fmt: skip


def _large_enough(command: CreateShare) -> None:
    assert command.source is not None
    if command.size < command.source.size:
        raise InvalidRequest(
            f"size: {command.size} GiB is less than the {command.source.size} GiB of snapshot"
            f" {command.source.id}",
            field="size", value=command.size,
        )  # fmt: skip
