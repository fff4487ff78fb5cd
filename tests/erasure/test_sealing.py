"""What is sealed in a record, that it opens to the same record, and what is shown once it is erased."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from share_actors.errors import LogError
from share_actors.events.decider import Event
from share_actors.events.envelope import Envelope
from share_actors.events.log.codec import Codec
from share_actors.events.share.access import AccessAllowed, AccessRulesApplied
from share_actors.events.share.failure import ShareErrored
from share_actors.events.share.messages import ShareCreationRequested
from share_actors.events.subjects.directory import KeyDirectory
from share_actors.events.subjects.fields import FIELDS
from share_actors.events.subjects.keys import KeyRing, Subject
from share_actors.events.subjects.sealing import RecordSealer
from share_actors.events.topics import EVENTS, topic_of
from share_actors.values import Share, ShareSpec
from tests.erasure.conftest import ALL
from tests.events.share_events import envelope, requested
from tests.golden.examples import EXAMPLES

WHO = envelope("c1", user="alice", project="web")
_PERSONAL = {"user_id", "project_id", "projects", "access_to", "description", "metadata", "reason"}
_PERSONAL |= {"status_reason", "warning", "warnings", "failed", "cut_off", "problems"}


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(KeyDirectory(tmp_path / "subjects"))


@pytest.fixture
def codec(ring: KeyRing) -> Codec:
    return Codec(subjects=RecordSealer(ring, ALL))


def stored(codec: Codec, event: Event, who: Envelope = WHO) -> bytes:
    return codec.encode("share-s1", 1, "e1", who, event).state


def read(codec: Codec, event: Event, state: bytes) -> tuple[Envelope, Any]:
    recorded = codec.decode_row("share-s1", 1, topic_of(type(event)), state)
    return recorded.envelope, recorded.event


def forget(ring: KeyRing, kind: str, name: str) -> None:
    (key,) = ring.find([Subject(kind, name)]).values()
    ring.forget(key.id, kind)


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: topic_of(type(event)))
def test_each_event_opens_to_itself_and_can_be_read_after_its_erasure(
    event: Event, codec: Codec, ring: KeyRing
) -> None:
    state = stored(codec, event)
    assert read(codec, event, state) == (WHO, event)
    for key in ring.all():
        ring.forget(key.id, key.subject.kind)
    who, erased = read(codec, event, state)
    assert (who.command_id, who.at, who.fingerprint) == (WHO.command_id, WHO.at, None)
    assert who.user_id.startswith("erased-")
    assert type(erased) is type(event)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
names = st.text(st.characters(categories=("L", "N", "P")), max_size=30)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(user=texts, project=texts, name=st.none() | names, client=texts, metadata=texts)
def test_any_texts_are_read_as_they_were_written(
    codec: Codec, user: str, project: str, name: str | None, client: str, metadata: str
) -> None:
    spec = ShareSpec(name=None, project_id=project, user_id=user, metadata={"key": metadata})
    creation = requested().replace(spec=spec.replace(name=name))
    rule = AccessAllowed(access_id="r", access_type="user", access_to=client, access_level="rw")
    who = envelope("c1", user=user, project=project)
    for event in (creation, rule, ShareErrored(doing="create", reason=f"{client} {user}")):
        assert read(codec, event, stored(codec, event, who)) == (who, event)


def test_no_text_of_a_subject_is_stored(codec: Codec) -> None:
    spec = requested().spec.replace(name="thesis", description="of Alice", metadata={"k": "secret"})
    state = stored(codec, requested().replace(spec=spec.replace(project_id="web")))
    for text in (b"alice", b"web", b"thesis", b"of Alice", b"secret", b"content of c1"):
        assert text not in state


def test_only_what_is_configured_is_sealed(ring: KeyRing) -> None:
    codec = Codec(subjects=RecordSealer(ring, ["user"]))
    state = stored(codec, requested(name="thesis", project="web"))
    assert b"alice" not in state
    assert b"thesis" in state
    assert b"web" in state


def test_events_from_before_stay_clear_and_readable(codec: Codec) -> None:
    state = stored(Codec(), requested())
    assert b"alice" in state
    assert read(codec, requested(), state) == (WHO, requested())


def test_two_subjects_are_independent(codec: Codec, ring: KeyRing) -> None:
    of_alice = stored(codec, requested())
    bob = envelope("c2", user="bob", project="web")
    of_bob = stored(codec, AccessRulesApplied(applied=("r1",)), bob)
    forget(ring, "user", "alice")
    who, event = read(codec, requested(), of_alice)
    assert who.user_id == event.spec.user_id == event.spec.name != "alice"
    assert who.project_id == "web"
    assert read(codec, AccessRulesApplied(), of_bob)[0] == bob


def test_a_copied_share_names_the_owner_of_its_parent(codec: Codec, ring: KeyRing) -> None:
    parent = Share(id="p", name="diary", user_id="bob", project_id="web")
    state = stored(codec, requested().replace(parent=parent))
    forget(ring, "user", "bob")
    _, event = read(codec, requested(), state)
    assert event.spec.user_id == "alice"
    assert event.parent.name == event.parent.user_id == f"erased-{ring.forgotten()[0].id[:16]}"


def test_a_client_in_the_sentence_of_a_driver_is_erased_too(codec: Codec, ring: KeyRing) -> None:
    rule = AccessAllowed(access_id="r", access_type="ip", access_to="10.0.0.7", access_level="rw")
    stored(codec, rule)
    applied = AccessRulesApplied(
        failed={"r": "mount of '10.0.0.7' for 10.0.0.8 failed."}, cut_off=("10.0.0.7",)
    )
    state = stored(codec, applied)
    assert b"10.0.0.7" not in state
    assert read(codec, applied, state)[1] == applied
    forget(ring, "client", "10.0.0.7")
    shown = f"erased-{ring.forgotten()[0].id[:16]}"
    _, event = read(codec, applied, state)
    assert event.failed == {"r": f"mount of '{shown}' for 10.0.0.8 failed."}
    assert event.cut_off == (shown,)


def test_what_is_erased_is_not_sealed_for_a_new_subject(codec: Codec, ring: KeyRing) -> None:
    state = stored(codec, requested())
    forget(ring, "user", "alice")
    who, event = read(codec, requested(), state)
    stored(codec, event, who)
    assert [key.subject.kind for key in ring.all()] == ["project", "project"]


def test_a_user_that_comes_again_has_another_key(codec: Codec, ring: KeyRing) -> None:
    first = stored(codec, requested())
    forget(ring, "user", "alice")
    second = stored(codec, requested())
    assert read(codec, requested(), second) == (WHO, requested())
    assert read(codec, requested(), first)[0].user_id.startswith("erased-")


def test_driver_options_that_look_sealed_are_left_alone(codec: Codec) -> None:
    event = next(e for e in EXAMPLES if topic_of(type(e)) == "share.manage_requested")
    options = {"path": {"plain": {"subject": "0" * 32, "sealed": "AAAA"}}}
    document = json.loads(event.model_dump_json()) | {"driver_options": options}
    tricky = type(event).model_validate_json(json.dumps(document))
    assert read(codec, tricky, stored(codec, tricky)) == (WHO, tricky)


# -- keys that are not there -----------------------------------------------------------------------
def test_a_lost_key_is_an_error_that_does_not_say_erased(codec: Codec, ring: KeyRing) -> None:
    state = stored(codec, requested())
    (key,) = ring.find([Subject("user", "alice")]).values()
    (Path(ring.store.where) / "keys" / key.id).unlink()
    fresh = Codec(subjects=RecordSealer(KeyRing(ring.store), ALL))
    with pytest.raises(
        LogError, match="without a marker that it was destroyed: it was lost"
    ) as lost:
        read(fresh, requested(), state)
    assert lost.value.field == "erasure.store"


def test_another_key_is_an_error_that_names_the_subject(codec: Codec, ring: KeyRing) -> None:
    state = stored(codec, requested())
    (key,) = ring.find([Subject("user", "alice")]).values()
    path = Path(ring.store.where) / "keys" / key.id
    path.write_text(json.dumps(json.loads(path.read_text()) | {"key": "A" * 43 + "="}))
    fresh = Codec(subjects=RecordSealer(KeyRing(ring.store), ALL))
    with pytest.raises(LogError, match=f"{key.id}.*sealed under another key"):
        read(fresh, requested(), state)


def test_a_damaged_key_file_is_an_error_that_names_it(codec: Codec, ring: KeyRing) -> None:
    state = stored(codec, requested())
    (key,) = ring.find([Subject("user", "alice")]).values()
    (Path(ring.store.where) / "keys" / key.id).write_text("{")
    fresh = Codec(subjects=RecordSealer(KeyRing(ring.store), ALL))
    with pytest.raises(LogError, match=f"the key {key.id} is damaged"):
        read(fresh, requested(), state)


def test_without_any_key_the_rest_can_be_read(codec: Codec) -> None:
    who, event = read(Codec(), requested(), stored(codec, requested()))
    assert who.user_id.startswith("no-key-")
    assert (event.share_id, event.size) == ("s1", 1)


# -- the table of fields ---------------------------------------------------------------------------
def _named(kind: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of fields with telling names in a type, also in its parts."""
    for part in get_args(kind):
        yield from _named(part, (*path, "*") if "tuple" in str(kind)[:6] else path)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if field.exclude:
                continue
            if name in _PERSONAL:
                yield (*path, name)
            yield from _named(field.annotation, (*path, name))


@pytest.mark.parametrize("topic", sorted(EVENTS))
def test_every_field_with_a_telling_name_is_in_the_table(topic: str) -> None:
    covered = {tuple(p for p in f.path if p != "*") for f in FIELDS.get(topic, ())}
    found = {tuple(p for p in path if p != "*") for path in _named(EVENTS[topic])}
    assert found <= covered, f"add them to FIELDS: {found - covered}"


def test_every_path_in_the_table_is_a_field() -> None:
    for topic, fields in FIELDS.items():
        for field in fields:
            assert field.path[0] in EVENTS[topic].model_fields, (topic, field)


def test_a_creation_is_an_event_of_the_table() -> None:
    assert ShareCreationRequested.topic in FIELDS
