"""The client's methods take any value: it is accepted, or refused before anything is recorded."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from share_actors import client
from share_actors.actors.runtime import lifecycle
from share_actors.client import ShareHandle, ShareSystem
from share_actors.client.nodes import NodeCollection
from share_actors.client.policies import SnapshotPolicyCollection
from share_actors.client.subjects import SubjectCollection
from share_actors.client.sync import bulk as sync_bulk
from share_actors.client.sync import entities as sync_entities
from share_actors.client.sync.quotas import QuotaCollection
from share_actors.errors import InvalidRequest
from share_actors.values import RequestContext, SnapshotSchedule
from tests.input.conftest import Tried
from tests.input.signatures import Argument, arguments
from tests.input.values import ANYTHING, CORE, ODD

LONG_S = 30
NEW = "7b2e8caf-8d0b-4d5e-9b0e-2f4a1a1f5d11"
ARGUMENTS = (
    *arguments("system", ShareSystem, without=("close", "stop", "events")),
    *arguments("share", ShareHandle),
    *arguments("networks", sync_entities.ShareNetworkCollection),
    *arguments("servers", sync_entities.ShareServerCollection),
    *arguments("types", sync_entities.ShareTypeCollection),
    *arguments("bulk", sync_bulk.Bulk),
    *arguments("subjects", SubjectCollection),
    *arguments("nodes", NodeCollection),
    *arguments("quotas", QuotaCollection),
    *arguments("snapshot_policies", SnapshotPolicyCollection),
    *arguments("backends", sync_entities.BackendCollection, without=("watch",)),
)
VALID: dict[str, Any] = {
    "size": 3,
    "shares": [],
    "items": [],
    "operation": "create_shares",
    "driver_options": {},
    "id_or_name": "tried",
    "share_id": NEW,
    "snapshot_id": NEW,
    "command_id": "none",
    "context": RequestContext(),
    "stream": f"share-{NEW}",
    "to": "alice",
    "rule": NEW,
    "lock": NEW,
    "policy": "none",
    "schedules": [SnapshotSchedule.hourly(1)],
    "snapshot": NEW,
    "provider_location": "/old",
    "cidr": "10.0.0.0/24",
    "network": "none",
    "type": "ldap",
    "service_id": NEW,
    "server": NEW,
    "name": "gold",
    "reason": "its hardware is gone",
    "old": "none",
    "new": "dummy",
    "backend": "none",
    "node": "none",
    "condition": "available",
    "limits": {"share_networks": 100_000},
    "projects": ["none"],
    "extra_specs": {"driver_handles_share_servers": "False"},
}


def try_out(tried: Tried, argument: Argument, value: Any) -> None:
    """Call the method with *value* for its *argument*, and with valid values for those it needs."""
    if argument.parameter == "timeout" and isinstance(value, int | float) and 0 <= value < LONG_S:
        return  # a valid one, after which the request would still be on its way
    owner: Any = tried.share if argument.owner == "share" else tried.system
    owner = getattr(owner, argument.owner, owner)
    valid = {**VALID, "receipt": tried.receipt, "config": tried.system.config}
    given = {name: valid[name] for name in argument.required} | {argument.parameter: value}
    waits = argument.parameter != "wait"
    tried.answer(partial(getattr(owner, argument.method), **given), waits=waits)


@pytest.mark.parametrize("argument", ARGUMENTS, ids=str)
def test_an_odd_value_is_accepted_or_refused(tried: Tried, argument: Argument) -> None:
    for value in CORE:
        try_out(tried, argument, value)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(argument=st.sampled_from(ARGUMENTS), value=ANYTHING)
def test_any_value_is_accepted_or_refused(tried: Tried, argument: Argument, value: Any) -> None:
    try_out(tried, argument, value)


@pytest.mark.parametrize("method", ["close", "stop"])
@pytest.mark.parametrize("timeout", [None, "5", -1, float("nan"), True, []])
def test_an_end_with_an_invalid_timeout_leaves_the_system_running(
    tried: Tried, timeout: Any, method: str
) -> None:
    with pytest.raises(InvalidRequest, match="timeout"):
        getattr(tried.system, method)(timeout)

    assert tried.system.share("tried").status == "available"


@pytest.mark.parametrize(
    ("function", "given", "field"),
    [
        (client.connect, {"address": None}, "address"),
        (client.connect, {"namespace": 7}, "namespace"),
        (client.connect, {"context": {"user_id": "alice"}}, "context"),
        (client.connect, {"timeout": float("nan")}, "timeout"),
        (client.start, {"config": {"home": "/somewhere"}}, "config"),
        (client.start, {"context": "alice"}, "context"),
    ],
)
def test_a_system_is_neither_joined_nor_started_with_an_invalid_value(
    monkeypatch: pytest.MonkeyPatch, function: Any, given: dict[str, Any], field: str
) -> None:
    for name in ("init", "join"):
        monkeypatch.setattr(lifecycle, name, lambda *_: pytest.fail("Ray was reached"))

    with pytest.raises(InvalidRequest, match=f"^{field}: ") as error:
        function(**given)

    assert error.value.field == field


@pytest.mark.parametrize("item", ODD, ids=range(len(ODD)))
def test_a_bad_item_of_many_creations_fails_alone(tried: Tried, item: Any) -> None:
    items = [{"size": 1}, item, {"size": 1}]

    first, bad, last = tried.system.create_shares(items)

    assert isinstance(bad, InvalidRequest)
    assert isinstance(first, ShareHandle)
    assert isinstance(last, ShareHandle)
    assert first.status == last.status == "available"
