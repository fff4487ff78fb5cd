"""The keys of data subjects: created with a subject's first event, destroyed when it is forgotten."""

from __future__ import annotations

import hmac
import json
import os
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from share_actors.errors import LogError
from share_actors.events.subjects.store import KeyStore

REFRESH_S = 0.5
"""How long a process may use a key that another process has destroyed."""
KEY_BYTES = 32
NONCE_BYTES = 12
STRIPES = 512


def stripe_of(subject_id: str) -> int:
    """The lock of a subject's key. There are few, so that a burst cannot use up those of a database."""
    return int(subject_id[:8], 16) % STRIPES


class Subject(NamedTuple):
    """A data subject, by its kind (`user`, `project` or `client`) and its name in the log."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


class SubjectKey:
    """The key of one subject; *id* is a keyed hash of the subject's name."""

    def __init__(self, subject_id: str, subject: Subject, key: bytes, since: str) -> None:
        self.id, self.subject, self.since = subject_id, subject, since
        self._cipher = AESGCM(key)

    def seal(self, text: str) -> str:
        """*text* encrypted (AES-GCM, a random nonce), in base64."""
        nonce = os.urandom(NONCE_BYTES)
        return b64encode(
            nonce + self._cipher.encrypt(nonce, text.encode(), self.id.encode())
        ).decode()

    def open(self, sealed: str) -> str:
        """The text; raises ValueError if it was sealed under another key."""
        content = b64decode(sealed)
        try:
            nonce, rest = content[:NONCE_BYTES], content[NONCE_BYTES:]
            return self._cipher.decrypt(nonce, rest, self.id.encode()).decode()
        except InvalidTag:
            raise ValueError("it was sealed under another key") from None


class Forgotten(NamedTuple):
    """A subject whose key was destroyed, and when."""

    id: str
    kind: str
    at: str


class KeyRing:
    """The keys of a store, read when they are needed; `generation` grows when a subject was forgotten."""

    def __init__(
        self,
        store: KeyStore,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store, self._clock, self._now = store, clock, now
        self.generation = 0
        self._lock = Lock()
        self._index: bytes | None = None
        self._keys: dict[str, SubjectKey] = {}
        self._by_subject: dict[Subject, SubjectKey] = {}
        self._forgotten: dict[str, Forgotten] = {}
        self._closing: frozenset[int] = frozenset()
        self._change: object = None
        self._checked_at = float("-inf")

    # -- by subject --------------------------------------------------------------------------------
    def key_of(self, subject: Subject) -> SubjectKey:
        """The key of *subject*, created if it has none; raises `LogError`."""
        self.refresh()
        return self._by_subject.get(subject) or self._created(subject)

    def find(self, subjects: Sequence[Subject]) -> dict[Subject, SubjectKey]:
        """The keys of those of *subjects* that have one."""
        self.refresh()
        if not subjects or self._load_index(create=False) is None:
            return {}
        ids = {self._next_id(subject): subject for subject in subjects}
        missing = [i for i in ids if i not in self._keys]
        for subject_id, document in (self.store.read(missing) if missing else {}).items():
            self._keep(self._parsed(subject_id, document))
        return {subject: self._keys[i] for i, subject in ids.items() if i in self._keys}

    def _created(self, subject: Subject) -> SubjectKey:
        with self._lock:
            self.refresh(at_once=True)
            self._load_index(create=True)
            subject_id = self._next_id(subject)
            document = {
                "kind": subject.kind,
                "name": subject.name,
                "key": b64encode(os.urandom(KEY_BYTES)).decode(),
                "since": self._now().isoformat(timespec="seconds"),
            }
            return self._keep(
                self._parsed(subject_id, self.store.create(subject_id, json.dumps(document)))
            )

    def past_ids(self, subject: Subject) -> list[str]:
        """The ids under which *subject* was forgotten, the oldest first; a name may come again later."""
        if self._load_index(create=False) is None:
            return []
        return [i for i in self._ids(subject) if i in self._forgotten]

    def _next_id(self, subject: Subject) -> str:
        return next(i for i in self._ids(subject) if i not in self._forgotten)

    def _ids(self, subject: Subject) -> Iterator[str]:
        """The ids of *subject*: those under which it was forgotten, and then the next one."""
        assert self._index is not None
        for number in range(len(self._forgotten) + 1):
            text = json.dumps([*subject, number]).encode()
            subject_id = hmac.digest(self._index, text, "sha256").hex()[:32]
            yield subject_id
            if subject_id not in self._forgotten:
                return

    def _load_index(self, *, create: bool) -> bytes | None:
        if self._index is None:
            self._index = self.store.index_key(create=create)
        return self._index

    @property
    def is_missing(self) -> bool:
        """Whether the store has never been used, or was lost."""
        return self._load_index(create=False) is None

    # -- by id -------------------------------------------------------------------------------------
    def get(self, subject_id: str) -> SubjectKey | None:
        """The key with this id; None if the store neither has it nor knows that it was destroyed."""
        key = self._keys.get(subject_id)
        if key is None and subject_id not in self._forgotten:
            document = self.store.read([subject_id]).get(subject_id)
            key = None if document is None else self._keep(self._parsed(subject_id, document))
        return key

    def is_forgotten(self, subject_id: str) -> bool:
        """Whether the key with this id was destroyed."""
        self.refresh()
        return subject_id in self._forgotten

    def is_closing(self, stripe: int) -> bool:
        """Whether a key of *stripe* is being destroyed."""
        return stripe in self._closing

    def all(self) -> list[SubjectKey]:
        """Every key that there is."""
        self.refresh(at_once=True)
        documents = [d for d in self.store.documents() if d[0] not in self._forgotten]
        return [self._parsed(*document) for document in documents]

    def forgotten(self) -> list[Forgotten]:
        """The subjects that were forgotten, the last one at the end."""
        self.refresh(at_once=True)
        return sorted(self._forgotten.values(), key=lambda item: item.at)

    # -- forgetting --------------------------------------------------------------------------------
    def forget(self, subject_id: str, kind: str) -> None:
        """Destroy a key. The marker comes first, so that a crash never leaves a key lost for no reason."""
        at = self._now().isoformat(timespec="seconds")
        self.store.mark_forgotten(subject_id, json.dumps({"kind": kind, "forgotten": at}))
        self.store.destroy(subject_id)
        self.refresh(at_once=True)

    def refresh(self, *, at_once: bool = False) -> None:
        """Learn which keys were destroyed by other processes, at most every `REFRESH_S` unless *at_once*."""
        now = self._clock()
        if not at_once and now - self._checked_at < REFRESH_S:
            return
        self._checked_at = now
        change = self.store.change()
        if change == self._change:
            return
        forgotten = {i: _marker(i, text) for i, text in self.store.markers().items()}
        closing = self.store.closing().keys() - forgotten.keys()
        self._closing = frozenset(map(stripe_of, closing))
        if forgotten.keys() != self._forgotten.keys():
            self._forgotten = forgotten
            self._keys, self._by_subject = {}, {}
            self.generation += 1
        self._change = change

    # -- documents ---------------------------------------------------------------------------------
    def _keep(self, key: SubjectKey) -> SubjectKey:
        self._keys[key.id] = self._by_subject[key.subject] = key
        return key

    def _parsed(self, subject_id: str, text: str) -> SubjectKey:
        try:
            document = json.loads(text)
            subject = Subject(document["kind"], document["name"])
            return SubjectKey(subject_id, subject, b64decode(document["key"]), document["since"])
        except (ValueError, KeyError, TypeError) as error:
            raise LogError(
                f"{self.store.where}: the key {subject_id} is damaged: {error!r}; nothing was changed;"
                " restore it from a backup of the key store",
                field="erasure.store",
                value=self.store.where,
            ) from None


def _marker(subject_id: str, text: str) -> Forgotten:
    """A marker; one that is damaged still says that the key was destroyed."""
    try:
        document = json.loads(text)
        return Forgotten(subject_id, str(document["kind"]), str(document["forgotten"]))
    except (ValueError, KeyError, TypeError):
        return Forgotten(subject_id, "", "")
