"""Personal data of records: sealed before a row is stored, opened when it is read.

In the stored JSON a sealed text is an object, which no plain text can imitate: `{"subject": ID, "sealed":
BASE64}`, or `{"parts": [...]}` where a sentence names subjects. Only the fields in `FIELDS` are opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from ipaddress import ip_network
from typing import Any

from pydantic_core import from_json, to_json

from share_actors.errors import LogError
from share_actors.events.decider import Event
from share_actors.events.envelope import Envelope
from share_actors.events.subjects.fields import FIELDS, FIELDS_OF_ENVELOPE, PersonalField
from share_actors.events.subjects.holds import KeyHolds
from share_actors.events.subjects.keys import KeyRing, Subject, SubjectKey
from share_actors.events.subjects.store import NoKeys
from share_actors.events.topics import topic_of
from share_actors.values import SYSTEM_USER
from share_actors.values.checks.addresses import normal_client

MARK = b'{"subject":"'
"""Stands in the JSON of each record with a sealed text."""
MARK_OF_FINGERPRINT = b'{"subjects":["'
MARKED = b'{"subject'
"""Both marks begin so."""
_SHOWN = 16
"""How many characters of a subject's id stand for an erased text."""
_STAND_IN = re.compile(rf"(erased|no-key)-[0-9a-f]{{{_SHOWN}}}")
_TOKEN = re.compile(r"[^\s'\"`,;()\[\]{}<>=]+")
_MAX_CACHED = 10_000
_USER_TYPES = ("user", "cephx")

Json = dict[str, Any]


def has_sealed(plain: bytes) -> bool:
    """Whether the record with the JSON *plain* has a sealed text."""
    return MARKED in plain and (MARK in plain or MARK_OF_FINGERPRINT in plain)


def erased(subject_id: str) -> str:
    """What is shown in place of an erased text: the same for all texts of one subject."""
    return f"erased-{subject_id[:_SHOWN]}"


def client_subject(access_type: str | None, access_to: str) -> Subject:
    """The subject of an access rule's client: a user, or an address or certificate."""
    if access_type is None:
        access_type = "ip" if _is_network(access_to) else "user"
    return Subject("user" if access_type in _USER_TYPES else "client", access_to)


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


class RecordSealer:
    """Seals the fields that hold *seals* (see `Holds`), and opens all that is sealed; *ring* has the keys.

    Without *strict*, a text whose key is missing reads as `no-key-...`: for the copy of a log.
    """

    def __init__(self, ring: KeyRing, seals: Collection[str] = (), *, strict: bool = True) -> None:
        self.ring, self.seals, self._strict = ring, frozenset(seals), strict
        held = self.seals | ({"prose"} if self.seals else set())
        self._fields = {
            topic: chosen
            for topic, fields in FIELDS.items()
            if (chosen := _by_head(field for field in fields if field.holds in held))
        }
        self._last: tuple[Envelope, set[str], str] | None = None
        self._sealed: dict[tuple[str, str], Json] = {}
        self._opened: dict[str, str] = {}
        self._generation = 0
        self._was_in_use: bool | None = None
        self.holds = KeyHolds(ring)

    @property
    def in_use(self) -> bool:
        """Whether texts are sealed, or were before this system started."""
        if self._was_in_use is None:
            self._was_in_use = bool(self.seals) or not self.ring.is_missing
        return self._was_in_use

    # -- writing -----------------------------------------------------------------------------------
    def sealed_json(
        self, envelope: Envelope, event: Event, keys: set[str] | None = None
    ) -> tuple[str, str]:
        """The JSON of *envelope* and *event* with their personal data sealed; raises `LogError`.

        The ids of the keys that sealed them are added to *keys*.
        """
        text, used = event.model_dump_json(), set[str]()
        fields = self._fields.get(topic_of(type(event)))
        if fields is not None:
            document = from_json(text)
            for field in _present(fields, document):
                seal = partial(self._sealers[field.holds], self, envelope, used)
                _apply(document, field.path, seal)
            text = to_json(document).decode()
        ids, who = self._envelope_json(envelope, used)
        if keys is not None:
            keys |= ids | used
        return who, text

    def _envelope_json(self, envelope: Envelope, used: set[str]) -> tuple[set[str], str]:
        """The keys and the JSON of the envelope; the last is cached, as events of a command share it."""
        self.ring.refresh()
        last = self._last if self._is_fresh() else None
        if last is not None and last[0] is envelope and used <= last[1]:
            return last[1], last[2]
        document = from_json(envelope.model_dump_json())
        ids = set(used)
        for name, holds in FIELDS_OF_ENVELOPE:
            if holds in self.seals:
                document[name] = self._sealed_name(holds, document[name], ids)
        if ids and document["fingerprint"] is not None:
            document["fingerprint"] = self._sealed_fingerprint(document["fingerprint"], sorted(ids))
        text = to_json(document).decode()
        self._last = (envelope, ids, text)
        return ids, text

    def _sealed_fingerprint(self, text: str, ids: list[str]) -> Json:
        """A digest of a request tells whether a guess of its content is right: all its subjects seal it."""
        for subject_id in ids:
            key = self.ring.get(subject_id)
            text = text if key is None else key.seal(text)
        return {"subjects": ids, "sealed": text}

    def _sealed_name(self, kind: str, name: str, used: set[str]) -> str | Json:
        if not name or name == SYSTEM_USER or _STAND_IN.fullmatch(name):
            return name
        return self._seal(self.ring.key_of(Subject(kind, name)), name, used)

    def _seal(self, key: SubjectKey, text: str, used: set[str]) -> Json:
        used.add(key.id)
        self._is_fresh()
        sealed = self._sealed.get((key.id, text))
        if sealed is None:
            if len(self._sealed) >= _MAX_CACHED:
                self._sealed.clear()
            sealed = {"subject": key.id, "sealed": key.seal(text)}
            self._sealed[key.id, text] = sealed
        return sealed

    def _is_fresh(self) -> bool:
        """Whether no subject was forgotten since the caches were filled; they are emptied if one was."""
        if self._generation == self.ring.generation:
            return True
        self._generation = self.ring.generation
        self._sealed, self._opened, self._last = {}, {}, None
        return False

    def _seal_user(self, _: Envelope, used: set[str], name: str, __: Json) -> str | Json:
        return self._sealed_name("user", name, used)

    def _seal_project(self, _: Envelope, used: set[str], name: str, __: Json) -> str | Json:
        return self._sealed_name("project", name, used)

    def _seal_client(self, _: Envelope, used: set[str], name: str, parent: Json) -> str | Json:
        access_type = parent.get("access_type") if isinstance(parent, dict) else None
        return self._sealed_name(*client_subject(access_type, name), used)

    def _seal_text(self, by: Envelope, used: set[str], text: str, parent: Json) -> str | Json:
        """A text that a user wrote: sealed for the user whose it is, or else who asked."""
        owner = parent.get("user_id") if isinstance(parent, dict) else None
        user = owner if isinstance(owner, str) and owner else by.user_id
        if not text or not user or user == SYSTEM_USER or _STAND_IN.fullmatch(user):
            return text
        return self._seal(self.ring.key_of(Subject("user", user)), text, used)

    def _seal_prose(self, _: Envelope, used: set[str], text: str, __: Json) -> str | Json:
        """A sentence in which known subjects may be named: their names are sealed."""
        tokens = [(m.start(), m.group().rstrip(".:!?")) for m in _TOKEN.finditer(text)]
        meant = {token: _meanings(token, self.seals) for _, token in tokens if token}
        known = self.ring.find([s for subjects in meant.values() for s in subjects])
        parts: list[str | Json] = []
        end = 0
        for start, token in tokens:
            key = next((known[s] for s in meant.get(token, ()) if s in known), None)
            if key is not None:
                parts += [text[end:start], self._seal(key, token, used)]
                end = start + len(token)
        return {"parts": [*parts, text[end:]]} if parts else text

    _sealers = {
        "user": _seal_user,
        "project": _seal_project,
        "client": _seal_client,
        "text": _seal_text,
        "prose": _seal_prose,
    }

    # -- reading -----------------------------------------------------------------------------------
    def opened(self, topic: str, plain: bytes) -> bytes:
        """The record with the JSON *plain*, with its texts opened or erased; raises `LogError`."""
        if not has_sealed(plain):
            return plain
        self.ring.refresh()
        self._is_fresh()
        record = from_json(plain)
        envelope = record["envelope"]
        for name, _ in FIELDS_OF_ENVELOPE:
            envelope[name] = self._opened_text(envelope[name])
        envelope["fingerprint"] = self._opened_fingerprint(envelope["fingerprint"])
        event = record["event"]
        for field in _present(_HEADS.get(topic, {}), event):
            _apply(event, field.path, self._opened_value)
        return to_json(record)

    def _opened_value(self, value: Any, _: Any) -> Any:
        return self._opened_text(value)

    def _opened_text(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if "parts" in value:
            return "".join(self._opened_text(part) for part in value["parts"])
        sealed = value["sealed"]
        text = self._opened.get(sealed)
        if text is None:
            text = self._open(value["subject"], sealed, erased)
            if len(self._opened) >= _MAX_CACHED:
                self._opened.clear()
            self._opened[sealed] = text
        return text

    def _opened_fingerprint(self, value: Any) -> str | None:
        if not isinstance(value, dict):
            return value  # type: ignore[no-any-return]
        text = str(value["sealed"])
        for subject_id in reversed(value["subjects"]):
            text = self._open(subject_id, text, lambda _: "")
            if not text or _STAND_IN.fullmatch(text):
                return None
        return text

    def _open(self, subject_id: str, sealed: str, stand_in: Callable[[str], str]) -> str:
        if self.ring.is_forgotten(subject_id):
            return stand_in(subject_id)
        key = self.ring.get(subject_id)
        if key is not None:
            try:
                return key.open(sealed)
            except ValueError as error:
                raise self._unreadable(subject_id, str(error)) from None
        if self._strict:
            raise self._unreadable(
                subject_id, "it is missing, without a marker that it was destroyed: it was lost"
            )
        return f"no-key-{subject_id[:_SHOWN]}"

    def _unreadable(self, subject_id: str, problem: str) -> LogError:
        return LogError(
            f"a text is sealed for subject {subject_id}, and the key in {self.ring.store.where} cannot"
            f" open it: {problem}; nothing was changed; restore the key store (`erasure.store`) from its"
            " backup",
            field="erasure.store",
            value=self.ring.store.where,
        )


def _meanings(token: str, seals: Collection[str]) -> list[Subject]:
    """The subjects that *token*, a word of a sentence, may name."""
    kinds = [kind for kind in ("user", "project") if kind in seals]
    found = [Subject(kind, token) for kind in kinds]
    if "client" in seals:
        found += [Subject("client", token), Subject("client", _normal(token))]
        found += [] if "user" in kinds else [Subject("user", token)]
    return list(dict.fromkeys(found))


def _normal(token: str) -> str:
    try:
        return normal_client(token)
    except ValueError:
        return token


def _apply(document: Json, path: tuple[str, ...], change: Callable[[Any, Any], Any]) -> None:
    """Replace each value at *path* that is there by *change* of it and what holds it."""
    places: list[Any] = [document]
    for name in path[:-1]:
        if name == "*":
            places = [inner for place in places for inner in _items(place)]
        else:
            places = [
                inner
                for place in places
                if isinstance(place, dict) and (inner := place.get(name)) is not None
            ]
    for place in places:
        for key in _keys(place, path[-1]):
            value = place[key]
            if isinstance(value, str | dict):
                place[key] = change(value, place)


def _items(place: Any) -> Iterable[Any]:
    if isinstance(place, dict):
        return place.values()
    return place if isinstance(place, list) else ()


def _keys(place: Any, name: str) -> Iterable[Any]:
    """The keys that *name* means in an object or a list: `*` all of them."""
    if isinstance(place, list):
        return range(len(place)) if name == "*" else ()
    if not isinstance(place, dict):
        return ()
    if name == "*":
        return list(place)
    return (name,) if name in place else ()


def _by_head(fields: Iterable[PersonalField]) -> dict[str, list[PersonalField]]:
    """The *fields* by the first part of their paths: most events lack most of them."""
    heads: dict[str, list[PersonalField]] = {}
    for field in fields:
        heads.setdefault(field.path[0], []).append(field)
    return heads


def _present(heads: dict[str, list[PersonalField]], document: Json) -> Iterator[PersonalField]:
    """The fields whose first part is in *document*."""
    for head, fields in heads.items():
        if document.get(head):
            yield from fields


_HEADS = {topic: _by_head(fields) for topic, fields in FIELDS.items()}
NO_KEYS = RecordSealer(KeyRing(NoKeys()), strict=False)
"""Opens nothing: what is sealed reads as `no-key-...`."""
