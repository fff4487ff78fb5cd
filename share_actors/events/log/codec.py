"""Events to the bytes that the log stores, and back: compact JSON, then compressed, then encrypted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Generic, NoReturn, TypeVar

from eventsourcing.compressor import ZlibCompressor
from eventsourcing.persistence import Cipher, Compressor, StoredEvent
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json
from typing_extensions import TypedDict

from share_actors.errors import LogError, LogTooNew
from share_actors.events.decider import Event
from share_actors.events.envelope import Envelope, Recorded
from share_actors.events.log.upcasting import UPCASTERS, Upcasters, upcast
from share_actors.events.topics import EVENTS, topic_of

E = TypeVar("E", bound=Event)
_ZLIB = ZlibCompressor()


class _Record(TypedDict, Generic[E]):
    """The stored JSON, whole: validating it in one go is what makes replay fast."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    event_id: str
    schema_version: Annotated[int, Field(strict=True)]
    envelope: Envelope
    event: E


@cache
def _reader(kind: type[Event]) -> TypeAdapter[_Record[Any]]:
    return TypeAdapter(_Record[kind])  # type: ignore[valid-type]


class Codec:
    """What is written under *events* can be read for ever; names that are not there are refused."""

    def __init__(
        self,
        cipher: Cipher | None = None,
        compressor: Compressor | None = None,
        *,
        events: Mapping[str, type[Event]] = EVENTS,
        upcasters: Upcasters = UPCASTERS,
    ) -> None:
        self._cipher, self._compressor = cipher, compressor
        self._events, self._upcasters = events, upcasters
        self._last: tuple[Envelope, str] | None = None

    # -- writing -----------------------------------------------------------------------------------
    def encode(
        self, stream: str, version: int, event_id: str, envelope: Envelope, event: Event
    ) -> StoredEvent:
        """The row that the log stores for *event*; raises `LogError` if it cannot be written down."""
        try:
            text = (
                f'{{"event_id":"{event_id}","schema_version":{event.schema_version},'
                f'"envelope":{self._written(envelope)},"event":{event.model_dump_json()}}}'
            )
            return StoredEvent(stream, version, topic_of(type(event)), self.seal(text.encode()))
        except (PydanticSerializationError, KeyError, UnicodeEncodeError) as error:
            raise LogError(
                f"stream {stream} version {version}: {type(event).__name__} cannot be written:"
                f" {error}; nothing was recorded"
            ) from None

    def _written(self, envelope: Envelope) -> str:
        """The envelope's JSON; the events of one command share the envelope, so one is remembered."""
        last = self._last
        if last is None or last[0] is not envelope:
            self._last = last = (envelope, envelope.model_dump_json())
        return last[1]

    def seal(self, plain: bytes) -> bytes:
        """*plain* as it is stored."""
        if self._compressor is not None:
            plain = self._compressor.compress(plain)
        return plain if self._cipher is None else self._cipher.encrypt(plain)

    # -- reading -----------------------------------------------------------------------------------
    def unseal(self, stored: bytes) -> bytes:
        """What was sealed, if it began with a brace; raises an exception of any kind if this is not it.

        Compressed or not shows, so that `log.compress` may change at any time.
        """
        plain = stored if self._cipher is None else self._cipher.decrypt(stored)
        return plain if plain[:1] == b"{" else _ZLIB.decompress(plain)

    def fits(self, stored: bytes) -> bool:
        """Whether *stored* was sealed under this key; a brace alone may be chance."""
        try:
            from_json(self.unseal(stored))
        except Exception:
            return False
        return True

    def decode(self, stored: StoredEvent) -> Recorded:
        """The event in a row of the log; raises `LogTooNew` or `LogError`, naming the row."""
        stream, version = str(stored.originator_id), stored.originator_version
        return self.decode_row(stream, version, stored.topic, stored.state)

    def decode_row(
        self, stream: str, version: int, topic: str, state: bytes, position: int = 0
    ) -> Recorded:
        """As `decode`, of the row's columns; *position* is passed on."""
        try:
            plain = self.unseal(state)
        except Exception as error:
            raise LogError(
                f"stream {stream} version {version}: {topic} cannot be deciphered: {error};"
                " is log.cipher_key the one it was written with?"
            ) from None
        try:
            record = self._validated(topic, plain)
        except Exception as error:  # also from an upcaster that was given what is damaged
            _refuse(stream, version, topic, error, plain)
        return Recorded(
            stream, version, record["event_id"], record["envelope"], record["event"], position
        )

    def _validated(self, topic: str, plain: bytes) -> _Record[Any]:
        """The record, read at once when it is of the current schema version: nearly always."""
        kind = self._events.get(topic)
        if kind is None:
            raise LogTooNew(f"no event of this name ({topic!r}) is known")
        try:
            record = _reader(kind).validate_json(plain)
        except ValidationError:
            if _schema(plain) in (None, kind.schema_version):
                raise
        else:
            if record["schema_version"] == kind.schema_version:
                return record
        return self._upcast(kind, topic, plain)

    def _upcast(self, kind: type[Event], topic: str, plain: bytes) -> _Record[Any]:
        fields, known = from_json(plain), kind.schema_version
        version = fields["schema_version"]
        fields["event"] = upcast(
            topic, fields["event"], version=version, known=known, table=self._upcasters
        )
        return _reader(kind).validate_json(to_json(fields))


def _schema(plain: bytes) -> int | None:
    """The schema version that a record says it has; None if it says none."""
    try:
        found = from_json(plain)
    except ValueError:
        return None
    version = found.get("schema_version") if isinstance(found, dict) else None
    return version if type(version) is int else None


def _refuse(
    stream: str, version: int, topic: str, error: Exception, plain: bytes = b""
) -> NoReturn:
    """Say which event cannot be read, and what to do about it."""
    schema = _schema(plain) or "unknown"
    where = f"stream {stream} version {version}: {topic}, schema version {schema}"
    if isinstance(error, LogTooNew) or _holds_unknown_field(error):
        raise LogTooNew(
            f"{where}: {_short(error)}; a newer version wrote it: upgrade share_actors"
        ) from None
    raise LogError(f"{where}: cannot be read: {_short(error)}") from None


def _holds_unknown_field(error: Exception) -> bool:
    return isinstance(error, ValidationError) and any(
        found["type"] == "extra_forbidden" for found in error.errors(include_url=False)
    )


def _short(error: Exception) -> str:
    """The first thing that is wrong, on one line."""
    if not isinstance(error, ValidationError):
        return str(error) or type(error).__name__
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
