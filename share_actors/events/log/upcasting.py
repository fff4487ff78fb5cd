"""Upcasters: functions that convert an event's fields from one schema version to the next.

The golden files in `tests/golden/events` are permanent, and so are the upcasters that they need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from share_actors.errors import LogError, LogTooNew
from share_actors.values import nest_spec

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
Upcasters = Mapping[tuple[str, int], Upcaster]


def _share_creation_requested_1(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "share_network_id": None, "placement": None}


def _access_rules_applied_1(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "warnings": {}}


def _attempt_failed_1(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "planned": False}


def _sealed_1(text: Any) -> Any:
    """A secret as it was marked until its sealed form became an object of its own."""
    is_sealed = isinstance(text, str) and text.startswith("sealed:1:")
    return {"sealed": text} if is_sealed else text


def _details_1(fields: dict[str, Any]) -> dict[str, Any]:
    details = {name: _sealed_1(value) for name, value in fields["details"].items()}
    return {**fields, "details": details}


def _server_acquired_1(fields: dict[str, Any]) -> dict[str, Any]:
    server = fields["server"]
    details = {name: _sealed_1(value) for name, value in server["backend_details"].items()}
    return {**fields, "server": {**server, "backend_details": details}}


def _security_service_added_1(fields: dict[str, Any]) -> dict[str, Any]:
    service = fields["service"]
    return {**fields, "service": {**service, "password": _sealed_1(service["password"])}}


def _options_in_plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Options of managing, which were all recorded in plain until then."""
    options = {name: {"plain": value} for name, value in fields["driver_options"].items()}
    return {**fields, "driver_options": options}


def _unchanged(fields: dict[str, Any]) -> dict[str, Any]:
    """Later versions have more fields, which have defaults, or values that did not exist before."""
    return fields


UPCASTERS: Upcasters = MappingProxyType(
    {
        ("access.rules_applied", 1): _access_rules_applied_1,
        ("access.rules_applied", 2): _unchanged,
        ("network.security_service_added", 1): _security_service_added_1,
        ("server.share_detached", 1): _unchanged,
        ("server.set_up", 1): _details_1,
        ("server.set_up_failed", 1): _details_1,
        ("backend.changed", 1): _unchanged,
        ("backend.changed", 2): _unchanged,
        ("backend.up", 1): _unchanged,
        ("backend.up", 2): _unchanged,
        ("share.attempt_failed", 1): _attempt_failed_1,
        ("share.created", 1): _unchanged,
        ("share.creation_requested", 1): _share_creation_requested_1,
        ("share.creation_requested", 2): nest_spec,
        ("share.creation_requested", 3): _unchanged,
        ("share.creation_requested", 4): _unchanged,
        ("share.ensured", 1): _unchanged,
        ("share.manage_requested", 1): nest_spec,
        ("share.manage_requested", 2): _options_in_plain,
        ("share.manage_requested", 3): _unchanged,
        ("share.manage_requested", 4): _unchanged,
        ("share.managed", 1): _unchanged,
        ("share.reapply_requested", 1): _unchanged,
        ("share.server_acquired", 1): _server_acquired_1,
        ("snapshot.manage_requested", 1): _options_in_plain,
    }
)
"""By topic and schema version: the conversion to the next version."""


def upcast(
    topic: str, fields: dict[str, Any], *, version: int, current: int, table: Upcasters = UPCASTERS
) -> dict[str, Any]:
    """Convert *fields* from schema *version* to the *current* one.

    Raises `LogTooNew` if *version* is newer than *current*, and `LogError` if an upcaster is missing.
    """
    if version > current:
        raise LogTooNew(f"schema version {version} is newer than the current version {current}")
    for step in range(version, current):
        if (topic, step) not in table:
            raise LogError(f"there is no upcaster for {topic} from schema version {step}")
        fields = table[topic, step](fields)
    return fields
