"""Keys that are in use are not destroyed: who seals a text holds its keys until the text is durable.

A process that destroys a key waits for all holders, and from then on the key seals nothing any more. What
was sealed before is therefore in the log when it looks for what is in force. No waiting time takes part.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TypeVar

from share_actors.errors import NOT_RECORDED, LogError, Unavailable
from share_actors.events.subjects.keys import KeyRing, stripe_of

T = TypeVar("T")
MAX_WAIT_S = 15.0
"""How long a destruction waits for the holders: they write what they have sealed, and seal no more."""
_PAUSE_S = 0.02


class KeyHolds:
    """The keys of *ring* that this process has in use."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._lock = Lock()
        self._held: Counter[int] = Counter()
        self._holders, self._session = 0, 0

    # -- use ---------------------------------------------------------------------------------------
    def sealed(self, seal: Callable[[set[str]], T]) -> tuple[T, frozenset[int]]:
        """What *seal* returns, and the locks of the keys whose ids it noted; `release` frees them.

        Raises `LogError` if one of the keys is being destroyed.
        """
        while True:
            used: set[str] = set()
            result = seal(used)
            stripes = frozenset(map(stripe_of, used))
            self._hold(stripes)
            if not any(self._ring.is_forgotten(i) for i in used):
                return result, stripes
            self.release(stripes)  # a key was destroyed meanwhile: seal again, with the next one

    def _hold(self, stripes: frozenset[int]) -> None:
        with self._lock:
            new = [stripe for stripe in stripes if not self._held[stripe]]
            if new and not self._ring.store.hold(new):
                raise _refusal()
            if not self._holders:
                self._session = self._ring.store.session
            elif (
                self._session != self._ring.store.session
            ):  # until those that lost theirs have ended
                self._ring.store.release(new)
                raise _lost()
            self._held.update(stripes)
            self._holders += 1
        try:
            self._ring.refresh(at_once=bool(new))
        except LogError:
            self.release(stripes)
            raise
        if any(map(self._ring.is_closing, stripes)):
            self.release(stripes)
            raise _refusal()

    def release(self, stripes: Collection[int]) -> None:
        """Free what `sealed` has locked: what was sealed is durable, or was not recorded."""
        with self._lock, suppress(LogError):  # the connection is lost, and its locks with it
            self._held.subtract(stripes)
            self._holders -= 1
            self._ring.store.release([stripe for stripe in stripes if not self._held[stripe]])

    def check(self) -> None:
        """Raise `LogError` if keys that are in use may have been destroyed: their locks were lost."""
        with self._lock:
            if not self._holders:
                return
            self._ring.store.ping()
            if self._session != self._ring.store.session:
                raise _lost()

    # -- destruction -------------------------------------------------------------------------------
    @contextmanager
    def closed(self, subject_id: str, mark: str) -> Iterator[None]:
        """Mark a subject as being forgotten, and run the block when no process has its key in use.

        The mark is removed if the block raises before the key was destroyed, and stays otherwise. Raises
        `Unavailable` if the key stays in use.
        """
        store, stripe = self._ring.store, stripe_of(subject_id)
        store.mark_closing(subject_id, mark)
        try:
            self._ring.refresh(at_once=True)
            self._wait_for_holders(stripe)
            try:
                yield
            finally:
                store.unlock(stripe)
        except Exception:
            if not self._ring.is_forgotten(subject_id):
                store.unmark_closing(subject_id)
            raise

    def _wait_for_holders(self, stripe: int) -> None:
        deadline = time.monotonic() + MAX_WAIT_S
        while not self._is_locked(stripe):
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"the key is in use: what was sealed with it has not been written for {MAX_WAIT_S:g} s;"
                    " it was kept, and nothing was erased",
                    field="subject",
                    next_step="Check that the log can be written (`share-actors doctor`), then repeat it.",
                )
            time.sleep(_PAUSE_S)

    def _is_locked(self, stripe: int) -> bool:
        with self._lock:
            return not self._held[stripe] and self._ring.store.lock(stripe)

    def is_abandoned(self, subject_id: str) -> bool:
        """Whether no process is destroying the key."""
        stripe = stripe_of(subject_id)
        if not self._is_locked(stripe):
            return False
        self._ring.store.unlock(stripe)
        return True


def _refusal() -> LogError:
    return LogError(
        f"a data subject that this is about is being forgotten{NOT_RECORDED}",
        field="subject",
        next_step="Repeat the request in some seconds; the subject has a new key then.",
    )


def _lost() -> LogError:
    return LogError(
        f"the connection that kept the keys of data subjects in use was lost{NOT_RECORDED}",
        field="log.host",
        next_step="Repeat the request; it is sealed again then.",
    )
