"""Conversion of events to stored bytes and back: compact JSON, compressed, then encrypted."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Generic, NamedTuple, NoReturn, TypeVar

from eventsourcing.persistence import Cipher, Compressor, StoredEvent
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json
from typing_extensions import TypedDict

from share_actors.errors import NOT_RECORDED, LogError, LogTooNew
from share_actors.events.decider import Event
from share_actors.events.envelope import Envelope, Recorded
from share_actors.events.formats import FORMATS, Formats
from share_actors.events.log.compression import decompressed
from share_actors.events.log.upcasting import UPCASTERS, Upcasters, upcast
from share_actors.events.subjects.sealing import MARKED, NO_KEYS, RecordSealer, has_sealed
from share_actors.events.topics import EVENTS, topic_of

E = TypeVar("E", bound=Event)
_logger = logging.getLogger(__name__)
# The beginning of a record and the end of its envelope, as `encode` writes them. In a text of the envelope,
# a quotation mark would have a backslash before it, so the end cannot be found inside one.
_HEAD = re.compile(
    rb'\{"event_id":"[^"\\]*","schema_version":(\d+),"envelope":\{"command_id":(?:null|"([^"\\]*)"),'
)
_PROJECT = re.compile(rb',"project_id":"([^"\\]*)",')
_BEFORE_EVENT = b'},"event":'
_CHECK_KEY = "check that log.cipher_key is the key that it was written with"
_TIME = re.compile(rb',"at":"([^"\\]+)","writer":"')


class Request(NamedTuple):
    """What the envelope of an event says of the client's request that caused it."""

    command_id: str
    project_id: str


DecodeRequest = Callable[[str, int, str, bytes], tuple[Event, Request | None]]
"""The event and the request of a row, given by its stream, version, topic and bytes."""


class _Record(TypedDict, Generic[E]):
    """The whole stored JSON; validating it in one step makes replay fast."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    event_id: str
    schema_version: Annotated[int, Field(strict=True)]
    envelope: Envelope
    event: E


@cache
def _reader(kind: type[Event]) -> TypeAdapter[_Record[Any]]:
    return TypeAdapter(_Record[kind])  # type: ignore[valid-type]


class Codec:
    """Encodes and decodes the events whose topics are in *events*; other topics are refused."""

    def __init__(
        self,
        cipher: Cipher | None = None,
        compressor: Compressor | None = None,
        *,
        events: Mapping[str, type[Event]] = EVENTS,
        upcasters: Upcasters = UPCASTERS,
        subjects: RecordSealer | None = None,
        formats: Formats = FORMATS,
    ) -> None:
        self.formats, self.written_format = formats, formats.newest
        """What can be written, and the format in which events are written now."""
        self._cipher, self._compressor, self._subjects = cipher, compressor, subjects
        self._events, self._upcasters = events, upcasters
        self._last: tuple[Envelope, bytes] | None = None
        self._validators: dict[str, tuple[bytes, Callable[[bytes], Event]]] = {}
        """By topic: its schema version, as it is in a record, and the function that reads its JSON."""

    @property
    def encrypts(self) -> bool:
        """Whether what it writes is encrypted."""
        return self._cipher is not None

    # -- writing -----------------------------------------------------------------------------------
    def encode(
        self,
        stream: str,
        version: int,
        event_id: str,
        envelope: Envelope,
        event: Event,
        keys: set[str] | None = None,
    ) -> StoredEvent:
        """Return the row that the log stores for *event*; raises `LogError` if it has no JSON form.

        The ids of the data subjects whose keys seal a part of it are added to *keys*.
        """
        try:
            who, what = self._jsons(envelope, event, keys)
            schema, topic = event.schema_version, topic_of(type(event))
            if self.written_format < self.formats.newest:
                schema, what = self.formats.lowered(topic, schema, what, self.written_format)
            head = f'{{"event_id":"{event_id}","schema_version":{schema},"envelope":'
            text = b"".join((head.encode(), who, b',"event":', what, b"}"))
            return StoredEvent(stream, version, topic, self.seal(text))
        except (PydanticSerializationError, KeyError, UnicodeEncodeError) as error:
            raise LogError(
                f"stream {stream} version {version}: {type(event).__name__} cannot be written:"
                f" {error}{NOT_RECORDED}"
            ) from None

    def _jsons(
        self, envelope: Envelope, event: Event, keys: set[str] | None
    ) -> tuple[bytes, bytes]:
        """Return the JSON of both, with the personal data sealed that is to be."""
        if self._subjects is not None and self._subjects.seals:
            who, what = self._subjects.sealed_json(envelope, event, keys)
            return who.encode(), what.encode()
        return self._envelope_json(envelope), event.json_bytes()

    def _envelope_json(self, envelope: Envelope) -> bytes:
        """Return the envelope's JSON; the last is cached, as events of a command share it."""
        last = self._last
        if last is None or last[0] is not envelope:
            self._last = last = (envelope, envelope.json_bytes())
        return last[1]

    def seal(self, plain: bytes) -> bytes:
        """Compress and encrypt *plain*, as configured."""
        if self._compressor is not None:
            plain = self._compressor.compress(plain)
        return plain if self._cipher is None else self._cipher.encrypt(plain)

    # -- reading -----------------------------------------------------------------------------------
    def unseal(self, stored: bytes) -> bytes:
        """Decrypt and decompress *stored*, whose plain text starts with a brace; raises any exception if not.

        Its first bytes show whether and how it is compressed, so `log.compress` may change at any time.
        """
        plain = stored if self._cipher is None else self._cipher.decrypt(stored)
        return plain if plain[:1] == b"{" else decompressed(plain)

    def fits(self, stored: bytes) -> bool:
        """Return whether *stored* was encrypted with this key: its plain text is JSON, if it can be read."""
        try:
            from_json(self.unseal(stored))
        except LogTooNew:
            return True
        except Exception:
            return False
        return True

    def decode(self, stored: StoredEvent) -> Recorded:
        """Return the event of a row of the log; raises `LogTooNew` or `LogError` that name the row."""
        stream, version = str(stored.originator_id), stored.originator_version
        return self.decode_row(stream, version, stored.topic, stored.state)

    def decode_row(
        self, stream: str, version: int, topic: str, state: bytes, position: int = 0
    ) -> Recorded:
        """Return the event of a row, given by its columns; see `decode`."""
        try:
            plain = self.unseal(state)
        except LogTooNew as error:
            _raise_unreadable(stream, version, topic, error)
        except Exception as error:
            raise LogError(
                f"stream {stream} version {version}: {topic} cannot be decrypted: {error}; {_CHECK_KEY}"
            ) from None
        plain = self.opened(stream, version, topic, plain)
        try:
            record = self._validated(topic, plain)
        except Exception as error:  # also from an upcaster that got damaged fields
            _raise_unreadable(stream, version, topic, error, plain)
        return Recorded(
            stream, version, record["event_id"], record["envelope"], record["event"], position
        )

    def decode_request(
        self, stream: str, version: int, topic: str, state: bytes
    ) -> tuple[Event, Request | None]:
        """Return the event of a row, and the client's request that caused it, if any; see `decode_event`."""
        event, who, command_id = self._decoded(stream, version, topic, state)
        if event is not None:
            if command_id is None:
                return event, None
            if (project_id := _PROJECT.search(who)) is not None:
                try:
                    return event, Request(command_id.decode(), project_id[1].decode())
                except UnicodeDecodeError:
                    _logger.debug("%s %d is damaged", stream, version)  # the full read says more
        recorded = self.decode_row(stream, version, topic, state)
        envelope = recorded.envelope
        if envelope.command_id is None:
            return recorded.event, None
        return recorded.event, Request(envelope.command_id, envelope.project_id)

    def decode_event(self, stream: str, version: int, topic: str, state: bytes) -> Event:
        """Return the event of a row without its envelope, in a third of the time; raises as `decode`.

        The envelope is not validated.
        """
        event, _, _ = self._decoded(stream, version, topic, state)
        return self.decode_row(stream, version, topic, state).event if event is None else event

    def _decoded(
        self, stream: str, version: int, topic: str, state: bytes
    ) -> tuple[Event | None, bytes, bytes | None]:
        """Return event, envelope and command id of a row of the usual form; no event for another."""
        try:
            plain = self.unseal(state)
            if MARKED in plain and has_sealed(plain):
                plain = self.opened(stream, version, topic, plain)
            schema_version, validate = self._validators.get(topic) or self._validator(topic)
            head = _HEAD.match(plain)
            if head is not None and head[1] == schema_version:
                who, _, event = plain.partition(_BEFORE_EVENT)
                return validate(event[:-1]), who, head[2]
        except Exception:
            _logger.debug("stream %s version %d is read in full", stream, version, exc_info=True)
        return None, b"", None

    def _validator(self, topic: str) -> tuple[bytes, Callable[[bytes], Event]]:
        kind = self._events[topic]
        found = (str(kind.schema_version).encode(), kind.__pydantic_validator__.validate_json)
        self._validators[topic] = found
        return found

    def time_of(self, stream: str, version: int, topic: str, state: bytes) -> datetime:
        """Return when the event of a row was recorded; raises as `decode`, and for a time without a zone."""
        try:
            found = _TIME.search(self.unseal(state))
            at = None if found is None else datetime.fromisoformat(found[1].decode())
        except Exception:  # what is wrong with it is said by `decode_row`
            at = None
        if at is None:
            at = self.decode_row(stream, version, topic, state).envelope.at
        if at.tzinfo is None:
            raise LogError(
                f"stream {stream} version {version}: {topic}: its time {at.isoformat()} has no zone"
            )
        return at

    def opened(self, stream: str, version: int, topic: str, plain: bytes) -> bytes:
        """Return the JSON of a record with its personal data opened or erased; raises `LogError`."""
        try:
            return (self._subjects or NO_KEYS).opened(topic, plain)
        except LogError as error:
            text = f"stream {stream} version {version}: {error.reason}"
            raise LogError(text, field=error.field, value=error.value) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            return plain  # it is damaged, which its validation says

    def _validated(self, topic: str, plain: bytes) -> _Record[Any]:
        """Return the validated record; nearly always it has the current schema version."""
        kind = self._events.get(topic)
        if kind is None:
            raise LogTooNew(f"unknown event topic {topic!r}")
        try:
            record = _reader(kind).validate_json(plain)
        except ValidationError:
            if _schema_version(plain) in (None, kind.schema_version):
                raise
        else:
            if record["schema_version"] == kind.schema_version:
                return record
        return self._upcast(kind, topic, plain)

    def _upcast(self, kind: type[Event], topic: str, plain: bytes) -> _Record[Any]:
        fields, current = from_json(plain), kind.schema_version
        version = fields["schema_version"]
        fields["event"] = upcast(
            topic, fields["event"], version=version, current=current, table=self._upcasters
        )
        return _reader(kind).validate_json(to_json(fields))


def _schema_version(plain: bytes) -> int | None:
    """Return the schema version of a record; None if it has none."""
    try:
        record = from_json(plain)
    except ValueError:
        return None
    version = record.get("schema_version") if isinstance(record, dict) else None
    return version if type(version) is int else None


def _raise_unreadable(
    stream: str, version: int, topic: str, error: Exception, plain: bytes = b""
) -> NoReturn:
    """Raise `LogTooNew` or `LogError` for an event that cannot be read."""
    schema = _schema_version(plain) or "unknown"
    where = f"stream {stream} version {version}: {topic}, schema version {schema}"
    if isinstance(error, LogTooNew) or _has_unknown_field(error):
        raise LogTooNew(
            f"{where}: {_first_problem(error)}; a newer version wrote it: upgrade share_actors"
        ) from None
    # the first byte of an encrypted record may be a brace by chance, as if it were plain
    advice = "" if _is_json(plain) else f"; it is damaged, or {_CHECK_KEY}"
    raise LogError(f"{where}: cannot be read: {_first_problem(error)}{advice}") from None


def _is_json(plain: bytes) -> bool:
    try:
        from_json(plain)
    except ValueError:
        return False
    return True


def _has_unknown_field(error: Exception) -> bool:
    return isinstance(error, ValidationError) and any(
        detail["type"] == "extra_forbidden" for detail in error.errors(include_url=False)
    )


def _first_problem(error: Exception) -> str:
    """Return the first problem, on one line."""
    if not isinstance(error, ValidationError):
        return str(error) or type(error).__name__
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
