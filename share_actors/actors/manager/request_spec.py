"""Command fields from a client's request: names, defaults, and data of other aggregates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from share_actors.actors.manager.hints import with_hints
from share_actors.actors.messaging.parameters import known_id, word
from share_actors.errors import InvalidRequest, shorten, showable, shown
from share_actors.values import RequestContext, nest_spec

if TYPE_CHECKING:
    from share_actors.config import Config

SYNONYMS = {
    "protocol": "share_proto",
    "display_name": "name",
    "display_description": "description",
}
MANAGED_PROPERTIES = frozenset(
    (
        "name",
        "description",
        "share_proto",
        "host",
        "metadata",
        "is_public",
        "share_type",
        "share_server_id",
    )
)
PROPERTIES = MANAGED_PROPERTIES - {"share_server_id"} | {
    "size",
    "availability_zone",
    "share_network_id",
    "snapshot_id",
    "same_host",
    "different_host",
}


def share_fields(
    requested: Mapping[str, Any], config: Config, context: RequestContext
) -> dict[str, Any]:
    """The fields of `CreateShare` for the *requested* properties, which may have any of Manila's names.

    Raises `InvalidRequest` for an unknown property or without a size; `ConfigError` for an unknown backend.
    """
    properties = with_hints(_canonical(requested))
    backend = properties.pop("backend", None)
    if properties.get("snapshot_id") is None:
        backend = config.default_backend if backend is None else backend
    _check_names(properties, PROPERTIES, ("backend", "share_id", "only_host"))
    if properties.get("share_proto", "") is None:
        del properties["share_proto"]
    if from_snapshot := properties.get("snapshot_id") is not None:
        known_id("snapshot", properties["snapshot_id"], "snapshot_id")
    properties["default_protocol"] = from_snapshot and "share_proto" not in properties
    if "size" not in properties:
        raise InvalidRequest("size: missing (in GiB)", field="size", value=None)
    host = properties.pop("host", None)
    if host is None:  # empty: the scheduler chooses
        host = "" if backend is None else config.backend_name(backend)
    return nest_spec({**properties, "host": host, **_owner(context)})


def managed_fields(
    requested: Mapping[str, Any], config: Config, context: RequestContext
) -> dict[str, Any]:
    """The fields of `ManageShare` for the *requested* properties; raises as `share_fields` does."""
    properties = _canonical(requested)
    backend = properties.pop("backend", None)
    _check_names(properties, MANAGED_PROPERTIES, ("backend",))
    host = properties.pop("host", None)
    host = config.backend_name(backend) if host in (None, "") else word("host", host)
    config.backend_name(host.partition("#")[0])
    return nest_spec({**properties, "host": host, **_owner(context)})


def _owner(context: RequestContext) -> dict[str, Any]:
    return {"project_id": context.project_id, "user_id": context.user_id}


def _check_names(
    properties: Mapping[str, Any], allowed: frozenset[str], others: Iterable[str]
) -> None:
    """Raise `InvalidRequest` for a property that is not *allowed*; the message also lists *others*."""
    names = ", ".join(sorted({*allowed, *SYNONYMS, *others}))
    for key, value in properties.items():
        if key not in allowed:
            message = f"{shorten(key)}: not a property of a share; there are: {names}"
            raise InvalidRequest(message, field=key, value=showable(value))


def _canonical(requested: Mapping[str, Any]) -> dict[str, Any]:
    """*requested* with synonyms replaced; raises `InvalidRequest` for a property that is given twice."""
    properties: dict[str, Any] = {}
    for key, value in requested.items():
        name = SYNONYMS.get(key, key)
        if name in properties:
            first = shown(properties[name])
            message = f"{key}: {shown(value)}: given twice, by two names: {name} is {first}"
            raise InvalidRequest(message, field=key, value=showable(value))
        properties[name] = value
    return properties
