"""What is looked up and filled in before a command is sent: defaults, and other aggregates' data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from share_actors.actors.ports import CatalogPort
from share_actors.config import Config
from share_actors.errors import InvalidRequest, NotFound, Refused
from share_actors.values import RequestContext, Snapshot

_RENAMED = {"protocol": "share_proto", "display_name": "name", "display_description": "description"}
_KNOWN = frozenset(
    "name description share_proto size host metadata is_public availability_zone share_type".split()  # noqa: SIM905
)
_TOLD = sorted({*_KNOWN, *_RENAMED, "backend", "share_id", "snapshot_id"})


def share_fields(asked: Mapping[str, Any], config: Config, who: RequestContext) -> dict[str, Any]:
    """The fields of `CreateShare` that *asked* (any of Manila's names for them) comes to.

    Raises `InvalidRequest` for a key that means nothing, and `ConfigError` for an unknown backend.
    """
    given = _by_our_names(asked)
    backend = given.pop("backend", None)
    given.pop("snapshot_id", None)
    for key, value in given.items():
        if key not in _KNOWN:
            raise InvalidRequest(
                f"{key}: not a property of a share; there are: {', '.join(_TOLD)}",
                field=key, value=value,
            )  # fmt: skip
    if "size" not in given:
        raise InvalidRequest("size: missing (in GiB)", field="size", value=None)
    host = given.pop("host", None)
    if host is None:
        host = config.backend_name(backend)
    return {**given, "host": host, "project_id": who.project_id, "user_id": who.user_id}


def _by_our_names(asked: Mapping[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for key, value in asked.items():
        ours = _RENAMED.get(key, key)
        if ours in given:
            raise InvalidRequest(
                f"{key}: {value!r}: given twice, by two names: {ours} is {given[ours]!r}",
                field=key, value=value,
            )  # fmt: skip
        given[ours] = value
    return given


async def source_snapshot(catalog: CatalogPort, snapshot_id: str) -> Snapshot:
    """The snapshot to create a share from; raises `NotFound`, or `Refused` if it can't be used now."""
    found: Snapshot | None = await catalog.ask("snapshot", snapshot_id=snapshot_id)
    if found is None:
        raise NotFound(
            f"there is no snapshot {snapshot_id}", field="snapshot_id", value=snapshot_id
        )
    if found.status != "available":
        raise Refused(
            f"snapshot {snapshot_id} is {found.status}; it must be available",
            field="snapshot_id", value=snapshot_id,
        )  # fmt: skip
    return found
