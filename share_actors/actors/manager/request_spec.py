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
    "name description share_proto size host metadata is_public availability_zone share_type "  # noqa: SIM905
    "share_network_id same_host different_host".split()
)
_TOLD = sorted({*_KNOWN, *_RENAMED, "backend", "share_id", "snapshot_id"})
_OF_MANAGED = frozenset("name description share_proto host metadata is_public share_type".split())  # noqa: SIM905


def share_fields(asked: Mapping[str, Any], config: Config, who: RequestContext) -> dict[str, Any]:
    """The fields of `CreateShare` that *asked* (any of Manila's names for them) comes to.

    Raises `InvalidRequest` for a key that means nothing, and `ConfigError` for an unknown backend.
    """
    given = _by_our_names(asked)
    backend = given.pop("backend", None)
    backend = config.default_backend if backend is None else backend
    given.pop("snapshot_id", None)
    _all_known(given, _KNOWN, _TOLD)
    if "size" not in given:
        raise InvalidRequest("size: missing (in GiB)", field="size", value=None)
    host = given.pop("host", None)
    if host is None:  # without any, the scheduler chooses
        host = "" if backend is None else config.backend_name(backend)
    for hint in ("same_host", "different_host"):
        if isinstance(given.get(hint), str):
            given[hint] = tuple(given[hint].split(","))
    return {**given, "host": host, "project_id": who.project_id, "user_id": who.user_id}


def managed_fields(asked: Mapping[str, Any], config: Config, who: RequestContext) -> dict[str, Any]:
    """The fields of `ManageShare` that *asked* comes to; raises as `share_fields` does."""
    given = _by_our_names(asked)
    backend = given.pop("backend", None)
    _all_known(given, _OF_MANAGED, sorted({*_OF_MANAGED, *_RENAMED, "backend"}))
    host = given.pop("host", None) or config.backend_name(backend)
    config.backend_name(host.partition("#")[0])
    return {**given, "host": host, "project_id": who.project_id, "user_id": who.user_id}


def _all_known(given: Mapping[str, Any], known: frozenset[str], told: list[str]) -> None:
    for key, value in given.items():
        if key not in known:
            raise InvalidRequest(
                f"{key}: not a property of a share; there are: {', '.join(told)}",
                field=key, value=value,
            )  # fmt: skip


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
