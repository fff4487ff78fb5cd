"""Encoding and decoding of events; unreadable ones are errors that name them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import given
from hypothesis import strategies as st

from share_actors.errors import LogError, LogTooNew
from share_actors.events.backend import BackendChanged, BackendUp
from share_actors.events.decider import Event
from share_actors.events.log.codec import Codec
from share_actors.events.share.access import AccessAllowed, AccessDenied, AccessRulesApplied
from share_actors.events.share.ensure import ShareReapplyRequested
from share_actors.events.share.messages import ShareCreationRequested, ShareErrored
from share_actors.events.share.server_attachment import ShareServerAcquired
from share_actors.events.share_network import SecurityServiceAdded
from share_actors.events.share_server import ServerSetUp, ServerSetUpFailed
from share_actors.events.topics import COMMANDS, EVENTS, topic_of
from share_actors.values.secret import Sealed
from tests.golden.examples import (
    ENVELOPE,
    EVENT_ID,
    EXAMPLES,
    STREAM,
    VERSION,
    golden_file,
    recorded,
    stored,
)


def _example(topic: str) -> Event:
    return next(event for event in EXAMPLES if topic_of(type(event)) == topic)


_creation = EXAMPLES[0]
_added = _example("network.security_service_added")
_acquired, _managing = _example("share.server_acquired"), _example("share.manage_requested")
assert isinstance(_creation, ShareCreationRequested)
assert isinstance(_added, SecurityServiceAdded)
assert isinstance(_acquired, ShareServerAcquired)
_earlier_creation = _creation.replace(parent=None, extra_specs={})
_without_server = _managing.replace(share_server_id=None)
_earlier_managing = _without_server.replace(extra_specs={})
_SEALED_1 = Sealed("sealed:1:AAAA")
_up, _changed = _example("backend.up"), _example("backend.changed")
assert isinstance(_up, BackendUp)
assert isinstance(_changed, BackendChanged)
_said = _up.capabilities.replace(access_support={})
EARLIER: dict[str, Event] = {
    "access.rules_applied.v1.json": AccessRulesApplied(
        applied=("r1",), removed=("r2",), failed={"r3": "no such user"}
    ),
    "access.rules_applied.v2.json": AccessRulesApplied(
        applied=("r1",),
        removed=("r2",),
        failed={"r3": "no such user"},
        warnings={"r1": "out of reach"},
    ),
    "backend.changed.v1.json": _changed.replace(capabilities=_said),
    "backend.changed.v2.json": _changed.replace(
        capabilities=_changed.capabilities.replace(access_support={})
    ),
    "backend.up.v1.json": _up.replace(capabilities=_said),
    "backend.up.v2.json": _up.replace(capabilities=_said),
    "share.attempt_failed.v1.json": _example("share.attempt_failed").replace(
        kind="transient", reason="busy", planned=False
    ),
    "share.created.v1.json": _example("share.created"),
    "share.creation_requested.v1.json": _earlier_creation.replace(
        spec=_creation.spec.replace(share_network_id=None), placement=None
    ),
    "share.creation_requested.v2.json": _earlier_creation,
    "share.creation_requested.v3.json": _earlier_creation,
    "share.creation_requested.v4.json": _creation,
    "share.reapply_requested.v1.json": ShareReapplyRequested(rules=("r1", "r2")),
    "network.security_service_added.v1.json": SecurityServiceAdded(
        service=_added.service.replace(password=_SEALED_1)
    ),
    "server.set_up.v1.json": ServerSetUp(details={"root": "/servers/1", "password": _SEALED_1}),
    "server.set_up_failed.v1.json": ServerSetUpFailed(reason="no memory", details={"vlan": "7"}),
    "share.ensured.v1.json": _example("share.ensured"),
    "share.managed.v1.json": _example("share.managed"),
    "share.manage_requested.v1.json": _earlier_managing.replace(
        driver_options={"path": "/old/share"}
    ),
    "share.manage_requested.v2.json": _earlier_managing.replace(
        driver_options={"path": "/old/share"}
    ),
    "share.manage_requested.v3.json": _earlier_managing,
    "share.manage_requested.v4.json": _without_server,
    "server.share_detached.v1.json": _example("server.share_detached").replace(data_stay=False),
    "share.server_acquired.v1.json": ShareServerAcquired(
        server=_acquired.server.replace(backend_details={"root": "/servers/1"})
    ),
    "snapshot.manage_requested.v1.json": _example("snapshot.manage_requested").replace(
        driver_options={"deep": True}
    ),
}
"""The current events that the golden files of older schema versions are read as, by file name."""

by_topic = pytest.mark.parametrize("event", EXAMPLES, ids=lambda e: topic_of(type(e)))


def row_of(record: dict[str, Any]) -> StoredEvent:
    """Return the stored row of a golden file."""
    state = json.dumps(record["state"]).encode()
    return StoredEvent(record["stream"], record["version"], record["topic"], state)


def changed(event: Event = EXAMPLES[-1], topic: str | None = None, **state: Any) -> StoredEvent:
    """Return the row of *event* with parts of its state replaced."""
    record = stored(event)
    return row_of({**record, "topic": topic or record["topic"], "state": record["state"] | state})


class TestGoldenFiles:
    @by_topic
    def test_an_event_is_encoded_as_in_its_golden_file(self, event: Event) -> None:
        assert stored(event) == json.loads(golden_file(event).read_text(encoding="utf-8"))

    def test_every_golden_file_is_readable(self) -> None:
        current = {golden_file(event).name: event for event in EXAMPLES}
        files = sorted(golden_file(EXAMPLES[0]).parent.iterdir())

        read = {f.name: Codec().decode(row_of(json.loads(f.read_text("utf-8")))) for f in files}

        assert read == {name: recorded(event) for name, event in (EARLIER | current).items()}

    def test_every_topic_has_an_example(self) -> None:
        assert {topic_of(type(event)) for event in EXAMPLES} == set(EVENTS)

    def test_topics_of_events_and_commands_are_unique(self) -> None:
        assert not set(EVENTS) & set(COMMANDS)
        assert all(
            topic_of(cls) == topic for table in (EVENTS, COMMANDS) for topic, cls in table.items()
        )


class TestRoundTrip:
    @given(reason=st.text(st.characters(exclude_categories=["Cs"])))
    def test_any_text_is_unchanged_by_encoding_and_decoding(self, reason: str) -> None:
        event = ShareErrored(doing="create", reason=reason)

        row = Codec().encode(STREAM, VERSION, EVENT_ID, ENVELOPE, event)

        assert Codec().decode(row) == recorded(event)

    def test_each_event_is_encoded_with_its_own_envelope(self) -> None:
        codec, other = Codec(), ENVELOPE.replace(user_id="bob")
        event = AccessDenied(access_id="r1")

        rows = [codec.encode("s", 1, "i", e, event) for e in (ENVELOPE, other, ENVELOPE)]

        assert [codec.decode(row).envelope.user_id for row in rows] == ["alice", "bob", "alice"]

    def test_text_without_a_json_form_is_refused(self) -> None:
        event = AccessDenied.model_construct(access_id="\udcff")

        with pytest.raises(LogError, match="share-1 version 7: AccessDenied cannot be written"):
            Codec().encode(STREAM, VERSION, EVENT_ID, ENVELOPE, event)


class TestRefusal:
    def test_an_unknown_topic_is_refused_as_too_new(self) -> None:
        with pytest.raises(
            LogTooNew, match=r"share-1 version 7: share\.moved, schema version 1: .*upgrade"
        ):
            Codec().decode(changed(topic="share.moved"))

    def test_a_newer_schema_version_is_refused_as_too_new(self) -> None:
        with pytest.raises(LogTooNew, match=r"schema version 9: .* upgrade share_actors"):
            Codec().decode(changed(schema_version=9))

    @pytest.mark.parametrize("where", ["record", "event", "envelope"])
    def test_an_unknown_field_is_refused_as_too_new(self, where: str) -> None:
        record = stored(AccessDenied(access_id="r1"))
        part = record["state"] if where == "record" else record["state"][where]
        part["colour"] = "blue"

        with pytest.raises(LogTooNew, match=r"access\.denied, schema version 1: .*colour"):
            Codec().decode(row_of(record))

    def test_an_invalid_value_is_refused_with_its_field(self) -> None:
        with pytest.raises(LogError, match=r"share-1 version 7.*event_id: ") as caught:
            Codec().decode(changed(event_id=5))

        assert not isinstance(caught.value, LogTooNew)

    @pytest.mark.parametrize("state", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}", b'{"a":1}'])
    def test_damaged_bytes_raise_a_log_error(self, state: bytes) -> None:
        row = StoredEvent(STREAM, VERSION, topic_of(AccessAllowed), state)

        with pytest.raises(LogError, match=r"share-1 version 7: access\.allowed"):
            Codec().decode(row)

    @given(state=st.binary(max_size=60))
    def test_any_bytes_are_decoded_or_raise_a_log_error(self, state: bytes) -> None:
        with pytest.raises(LogError):
            Codec().decode(StoredEvent(STREAM, VERSION, topic_of(AccessAllowed), state))

    @pytest.mark.parametrize("state", [b"{\x93 sealed", b'{"a": \xff', b"x\x9c{", b""])
    def test_a_brace_at_the_start_of_encrypted_bytes_is_not_taken_for_plain_text(
        self, state: bytes
    ) -> None:
        assert not Codec().fits(state)
        assert Codec().fits(row_of(stored(EXAMPLES[0])).state)


def test_an_encrypted_event_that_begins_like_json_by_chance_is_told_with_the_key() -> None:
    with pytest.raises(LogError, match=r"check that log\.cipher_key is the key"):
        Codec().decode_row("share-s1", 1, "share.created", b"{\xff\x00\x17")
