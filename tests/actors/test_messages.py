"""What travels arrives as it was sent, and what makes no sense is named."""

import json
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from share_actors.actors.messaging.messages import (
    CommandMessage,
    Sender,
    build,
    command_in,
    command_message,
    context_in,
    error_reply,
    fingerprint,
    pack_error,
    unpack_error,
)
from share_actors.errors import ERRORS, Ambiguous, Busy, InvalidRequest, ShareActorsError
from share_actors.events.backend import MoveBackend
from share_actors.events.decider import EPOCH
from share_actors.events.quota import SetQuota, UnsetQuota
from share_actors.events.share.access import AllowAccess
from share_actors.events.share.messages import CreateShare, ExtendShare
from share_actors.events.share_type import CreateShareType
from share_actors.events.snapshot_policy import AttachShares, DetachShares, RecordRun
from share_actors.events.topics import COMMANDS
from share_actors.values import (
    MAX_SIZE_GIB,
    Capabilities,
    ClusterNode,
    PolicyRun,
    RequestContext,
    SecurityService,
    ShareSpec,
    SnapshotSchedule,
    nest_spec,
)

SAID = Capabilities(
    backend_name="b", driver_name="d", storage_protocols=("NFS",), access_types=("ip",)
)
SENDER = Sender(b"{}", "p")
CREATE = {"share_id": "s1", "size": 1, "host": "dummy", "project_id": "p", "user_id": "u"}


def test_a_command_arrives_as_it_was_sent() -> None:
    command = CreateShare(**nest_spec({**CREATE, "name": "ünïcode 🐘", "metadata": {"a": "b"}}))

    asked = command_message("s1", command, SENDER, "c1", wait=True)

    assert command_in(asked) == command
    assert (asked.share_id, asked.command_id, asked.wait) == ("s1", "c1", True)


def example(kind: Any) -> Any:
    """A command of *kind*."""
    fields = {
        **CREATE,
        "spec": ShareSpec(host="dummy"),
        "access_id": "a1",
        "access_type": "user",
        "access_to": "bob",
        "snapshot_id": "n1",
        "provider_location": "/n1",
        "info": "i",
        "shares": 1,
        "network_id": "n1",
        "cidr": "10.0.0.0/24",
        "service": SecurityService(id="c1", type="ldap"),
        "service_id": "c1",
        "server_id": "v1",
        "count": 1,
        "backend": "b",
        "new_server_id": "v1",
        "share_network_id": "n1",
        "name": "gold",
        "capabilities": SAID,
        "reason": "silent",
        "old": "b",
        "new": "c",
        "number": 1,
        "lock_id": "l1",
        "policy_id": "p1",
        "schedules": (SnapshotSchedule.hourly(1),),
        "grace_s": 60,
        "location": "/srv/s1",
        "node": ClusterNode(id="a1", name="rack", address="10.0.0.2"),
        "configured": "near",
    }
    if kind is SetQuota:
        fields |= {"quota_id": "default", "project_id": "", "limits": {"shares": 1}}
    if kind in (SetQuota, UnsetQuota):
        del fields["user_id"]
    if kind is MoveBackend:
        fields["node"] = "far"
    if kind is RecordRun:
        fields["run"] = PolicyRun(every_s=60, at=EPOCH)
    if kind in (AttachShares, DetachShares):
        fields["shares"] = ("s1",)
    if kind is CreateShareType:
        fields["extra_specs"] = {"driver_handles_share_servers": "False"}
    return kind(**{k: v for k, v in fields.items() if k in kind.model_fields})


@pytest.mark.parametrize("kind", list(COMMANDS.values()), ids=lambda kind: kind.__name__)
def test_every_command_can_travel(kind: Any) -> None:
    command = example(kind)

    assert command_in(command_message("s1", command, SENDER, "c1")) == command


@pytest.mark.parametrize("kind", list(ERRORS.values()), ids=lambda kind: kind.__name__)
def test_every_error_arrives_as_its_own_kind(kind: type[ShareActorsError]) -> None:
    error = kind("what went wrong", field="size", value=0, retry_after=1.5)

    arrived = unpack_error(pack_error(error))

    assert type(arrived) is kind
    assert (str(arrived), arrived.field, arrived.value) == ("what went wrong", "size", 0)
    assert arrived.details == {"retry_after": 1.5}


def test_details_arrive_too() -> None:
    busy = unpack_error(pack_error(Busy("later", retry_after=3)))
    ambiguous = unpack_error(pack_error(Ambiguous("which?", ids=["a", "b"])))

    assert isinstance(busy, Busy)
    assert busy.retry_after == 3
    assert ambiguous.details["ids"] == ["a", "b"]


def test_an_error_of_a_kind_that_is_not_known_is_still_an_error() -> None:
    packed: dict[str, Any] = {
        "code": "of_tomorrow",
        "message": "new",
        "field": None,
        "value": None,
        "details": {},
    }

    assert str(unpack_error(json.dumps(packed).encode())) == "new"


@pytest.mark.parametrize(
    "value",
    [object(), b"\xff", {1, 2}, float("nan"), "\ud800", 10**5000, [10**5000], {"a": object}],
    ids=range(8),
)
def test_any_offending_value_can_be_told(value: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        build(CreateShare, nest_spec({**CREATE, "size": value}))

    arrived = unpack_error(pack_error(caught.value))

    assert arrived.field == "size"
    assert str(arrived).startswith("size: ")
    assert len(str(arrived)) < 400


@given(value=st.one_of(st.integers(), st.text(), st.floats(), st.booleans(), st.none()))
def test_whatever_the_size_it_is_taken_or_named(value: object) -> None:
    fits = type(value) is int and 1 <= value <= MAX_SIZE_GIB
    with nullcontext() if fits else pytest.raises(InvalidRequest, match=r"^size: "):
        command = build(ExtendShare, {"size": value})
        assert command_in(command_message("s1", command, SENDER, "c1")) == command


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"access_type": "ip", "access_to": "10.0.0.0/33"}, "access_to"),
        ({"access_type": "ip", "access_to": "host.example"}, "access_to"),
        ({"access_type": "carrier pigeon", "access_to": "bob"}, "access_type"),
        ({"access_type": "user", "access_to": "bob", "access_level": "rwx"}, "access_level"),
        ({"access_type": "user", "access_to": ""}, "access_to"),
        ({"access_type": "user", "access_to": "bob", "until": "noon"}, "until"),
        ({"access_to": "bob"}, "access_type"),
    ],
)
def test_the_offending_field_and_its_value_are_named(fields: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        build(AllowAccess, {"access_id": "a1", **fields})

    assert caught.value.field == field
    assert str(fields.get(field, "")) in str(caught.value)


def test_a_context_that_makes_no_sense_is_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        context_in(b'{"user_id": 7}')

    assert (caught.value.field, caught.value.value) == ("user_id", 7)
    assert context_in(b"{}") == RequestContext()


def test_the_same_content_has_the_same_fingerprint_and_no_other_has() -> None:
    body = ExtendShare(size=2).model_dump_json().encode()

    assert fingerprint("share.extend", body) == fingerprint("share.extend", body)
    assert fingerprint("share.extend", body) != fingerprint("share.shrink", body)
    assert fingerprint("share.extend", body) != fingerprint("share.extend", body + b" ")


def test_a_refusal_answers_the_command_that_was_asked() -> None:
    refused = error_reply(CommandMessage("s1", "c1", "share.extend", b"", b""), Busy("later"))

    assert (refused.share_id, refused.command_id, refused.status) == ("s1", "c1", "error")
