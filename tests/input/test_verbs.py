"""The manager's verbs take any value: it is accepted, or refused before anything is recorded."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from share_actors.actors.manager.backend_verbs import BackendVerbs
from share_actors.actors.manager.exit_verbs import ExitVerbs
from share_actors.actors.manager.manage_verbs import ManageVerbs
from share_actors.actors.manager.manager import ManagerActor
from share_actors.actors.manager.node_verbs import NodeVerbs
from share_actors.actors.manager.protection_verbs import ProtectionVerbs
from share_actors.actors.manager.request_spec import PROPERTIES, SYNONYMS
from share_actors.actors.manager.share_verbs import ManagerVerbs
from share_actors.actors.manager.snapshot_verbs import SnapshotVerbs
from share_actors.errors import InvalidRequest, NotFound
from tests.input.conftest import Tried
from tests.input.signatures import Argument, arguments
from tests.input.values import ANYTHING, CORE

PARTS = (
    ManagerVerbs,
    ProtectionVerbs,
    SnapshotVerbs,
    ManageVerbs,
    ExitVerbs,
    BackendVerbs,
    NodeVerbs,
)
CALLS_OF_CLIENTS = ("submit", "wait")
"""They take batches of messages, which only this package's client makes."""
MORE = tuple(sorted({*PROPERTIES, *SYNONYMS, "backend"}))
ARGUMENTS = tuple(
    argument
    for part in PARTS
    for argument in arguments("manager", part, without=CALLS_OF_CLIENTS, more=MORE)
)
VALID: dict[str, Any] = {
    "context": None,
    "new_size": 3,
    "lock_id": str(uuid4()),
    "grace_s": 60,
    "access_type": "user",
    "access_to": "alice",
    "provider_location": "/old",
    "driver_options": {},
    "after": 0,
    "reason": "its hardware is gone",
    "old": "none",
    "new": "dummy",
    "backend": "none",
    "node": "none",
    "timeout_s": 0.01,
    "size": 1,
}
CREATING = {"create_share": {"size": 1}, "manage_share": {}, "preview_manage": {}}


def try_out(tried: Tried, argument: Argument, value: Any) -> None:
    """Call the verb with *value* for its *argument*, and with valid values for those it needs."""
    valid = {**VALID, "config": tried.system.config, "published": None}
    valid |= {name: str(uuid4()) for name in ("access_id", "snapshot_id", "share_server")}
    valid["share_id"] = str(uuid4()) if argument.method in CREATING else tried.share.id
    given = {name: valid[name] for name in argument.required}
    given = {**CREATING.get(argument.method, {}), **given, argument.parameter: value}
    if Argument(*argument[:2], "wait", argument.required) in ARGUMENTS:
        given = {"wait": True, **given}
    call = partial(tried.verb, argument.method, **given)
    tried.answer(call, waits=argument.parameter != "wait")


@pytest.mark.parametrize("argument", sorted(set(ARGUMENTS)), ids=str)
def test_an_odd_value_is_accepted_or_refused(tried: Tried, argument: Argument) -> None:
    for value in CORE:
        try_out(tried, argument, value)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(argument=st.sampled_from(ARGUMENTS), value=ANYTHING)
def test_any_value_is_accepted_or_refused(tried: Tried, argument: Argument, value: Any) -> None:
    try_out(tried, argument, value)


def test_every_verb_of_the_manager_is_tried() -> None:
    tried = {argument.method for argument in ARGUMENTS}
    verbs = {name for part in PARTS for name in vars(part) if not name.startswith("_")}

    without_parameters = {"ready", "capabilities", "RPC_API_VERSION"}
    assert verbs - without_parameters <= tried
    assert issubclass(ManagerActor, PARTS)


# -- ids and addresses -----------------------------------------------------------------------------
ON_A_SHARE: dict[str, dict[str, Any]] = {
    "delete_share": {},
    "extend_share": {"new_size": 5},
    "shrink_share": {"new_size": 1},
    "revert_to_snapshot": {"snapshot_id": str(uuid4())},
    "soft_delete_share": {"grace_s": 60},
    "restore_share": {},
    "lock_share": {"lock_id": str(uuid4())},
    "unlock_share": {"lock_id": str(uuid4())},
    "retry_share": {},
    "reapply_share": {},
    "unmanage_share": {},
    "create_snapshot": {"snapshot_id": str(uuid4())},
    "delete_snapshot": {"snapshot_id": str(uuid4())},
    "unmanage_snapshot": {"snapshot_id": str(uuid4())},
    "manage_snapshot": {"snapshot_id": str(uuid4()), "provider_location": "/old"},
    "allow_access": {"access_id": str(uuid4()), "access_type": "user", "access_to": "bob"},
    "deny_access": {"access_id": str(uuid4())},
    "allow_snapshot_access": {
        "access_id": str(uuid4()),
        "snapshot_id": str(uuid4()),
        "access_type": "user",
        "access_to": "bob",
    },
    "deny_snapshot_access": {"access_id": str(uuid4()), "snapshot_id": str(uuid4())},
}
ADDRESSES = ("backend:dummy", "share_type:fast", "share_network:n1", "nonsense:x", "share:x", "")


@pytest.mark.parametrize("verb", ON_A_SHARE)
@pytest.mark.parametrize("share_id", [*ADDRESSES, "x:y:z", "a/b", str(uuid4())])
def test_a_share_that_does_not_exist_is_not_found_by_any_verb(
    tried: Tried, verb: str, share_id: str
) -> None:
    error = tried.answer(partial(tried.verb, verb, None, share_id=share_id, **ON_A_SHARE[verb]))

    assert isinstance(error, NotFound)
    assert (error.field, error.value) == ("id", share_id)


@pytest.mark.parametrize(
    "share_id", [*ADDRESSES, "my-share", "5F0C6A9E-8D0B-4D5E-9B0E-2F4A1A1F5D11"]
)
@pytest.mark.parametrize("verb", ["create_share", "manage_share"])
def test_the_id_of_a_new_share_is_a_uuid(tried: Tried, verb: str, share_id: str) -> None:
    error = tried.answer(partial(tried.verb, verb, None, share_id, **CREATING[verb]))

    assert isinstance(error, InvalidRequest)
    assert (error.field, error.value) == ("share_id", share_id)
