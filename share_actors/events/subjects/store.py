"""What a store of the keys of data subjects does, and the one that has none."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from share_actors.errors import LogError


class KeyStore(Protocol):
    """Where keys are, outside the log: documents by the id of a subject. Each method raises `LogError`.

    A subject has a document, or a marker that its key was destroyed; a marker counts if it has both.
    """

    where: str
    """The place, for messages."""
    session: int
    """Another number after the locks of `hold` may have been lost; up to date after `ping`."""

    def ping(self) -> None:
        """Notice a lost connection."""

    def index_key(self, *, create: bool) -> bytes | None:
        """The key from which the ids of subjects are made; None if it is missing and *create* is false."""

    def read(self, subject_ids: Sequence[str]) -> Mapping[str, str]:
        """The documents of these subjects, as far as there are."""

    def create(self, subject_id: str, document: str) -> str:
        """Store the document unless there is one, durably; returns the one that is stored."""

    def markers(self) -> Mapping[str, str]:
        """The markers of all forgotten subjects, by id."""

    def mark_forgotten(self, subject_id: str, marker: str) -> None:
        """Store the marker unless there is one, durably."""

    def destroy(self, subject_id: str) -> None:
        """Destroy the document durably; nothing happens if there is none."""

    def documents(self) -> Iterator[tuple[str, str]]:
        """Ids and documents of all subjects."""

    def change(self) -> object:
        """A value that is another one after a subject was forgotten, or a mark was set; cheap to read."""

    def closing(self) -> Mapping[str, str]:
        """The marks of the subjects that are being forgotten, by id."""

    def mark_closing(self, subject_id: str, mark: str) -> None:
        """Store the mark that a subject is being forgotten unless there is one, durably."""

    def unmark_closing(self, subject_id: str) -> None:
        """Remove the mark durably; nothing happens if there is none."""

    def hold(self, stripes: Collection[int]) -> bool:
        """Share the locks of all *stripes*, or of none and return False: one is being used by `lock`.

        The store frees them when the process ends, however it ends.
        """

    def release(self, stripes: Collection[int]) -> None:
        """Free what `hold` has locked."""

    def lock(self, stripe: int) -> bool:
        """Lock *stripe* alone; False if another process holds it. It is freed like those of `hold`."""

    def unlock(self, stripe: int) -> None:
        """Free what `lock` has locked."""

    def close(self) -> None:
        """Close connections; the next use opens others."""


class NoKeys:
    """A `KeyStore` without any key, for reading without one."""

    where = "(no key store)"
    session = 0

    def ping(self) -> None:
        """See `KeyStore`."""

    def index_key(self, *, create: bool) -> bytes | None:
        """See `KeyStore`; raises `LogError` if one is to be created."""
        if create:
            raise LogError("there is no key store to seal with", field="erasure.store")
        return None

    def read(self, subject_ids: Sequence[str]) -> Mapping[str, str]:
        """See `KeyStore`."""
        return {}

    def create(self, subject_id: str, document: str) -> str:
        """See `KeyStore`."""
        return document

    def markers(self) -> Mapping[str, str]:
        """See `KeyStore`."""
        return {}

    def mark_forgotten(self, subject_id: str, marker: str) -> None:
        """See `KeyStore`."""

    def destroy(self, subject_id: str) -> None:
        """See `KeyStore`."""

    def documents(self) -> Iterator[tuple[str, str]]:
        """See `KeyStore`."""
        return iter(())

    def change(self) -> object:
        """See `KeyStore`."""
        return None

    def closing(self) -> Mapping[str, str]:
        """See `KeyStore`."""
        return {}

    def mark_closing(self, subject_id: str, mark: str) -> None:
        """See `KeyStore`."""

    def unmark_closing(self, subject_id: str) -> None:
        """See `KeyStore`."""

    def hold(self, stripes: Collection[int]) -> bool:
        """See `KeyStore`."""
        return True

    def release(self, stripes: Collection[int]) -> None:
        """See `KeyStore`."""

    def lock(self, stripe: int) -> bool:
        """See `KeyStore`."""
        return True

    def unlock(self, stripe: int) -> None:
        """See `KeyStore`."""

    def close(self) -> None:
        """See `KeyStore`."""
