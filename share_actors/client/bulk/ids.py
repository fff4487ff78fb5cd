"""Ids of the items of a batch: each follows from the id of the batch and the item's key."""

from __future__ import annotations

from uuid import NAMESPACE_OID, UUID, uuid5

from share_actors.actors.messaging.parameters import own_id
from share_actors.client.ids import FreshId, fresh_id, with_version

_LOW_BITS = (1 << 80) - 1


class BatchIds:
    """The command ids of one batch, the same each time that the batch is sent.

    They begin like the id of a batch that was generated (with its time), so that what the items create
    is near each other in every index; of another batch with a hash of its id.
    """

    def __init__(self, batch_id: object, operation: str, project_id: str) -> None:
        """Use *batch_id*, None: a generated one; raises `InvalidRequest` for what cannot be a command id.

        Other operations, and other projects, have other command ids for the same batch.
        """
        generated = fresh_id() if batch_id is None else batch_id
        self.batch_id = str(own_id("batch_id", generated))
        self.are_fresh = isinstance(generated, FreshId)
        """Whether no item can have been sent before."""
        self._namespace = uuid5(NAMESPACE_OID, f"batch {operation} {project_id!r} {self.batch_id}")
        self._beginning = (_time_of(self.batch_id) or self._namespace.int) & ~_LOW_BITS

    def command_id(self, key: str) -> str:
        """The command id of the item with this *key*: 32 hexadecimal digits."""
        bits = self._beginning | uuid5(self._namespace, key).int & _LOW_BITS
        derived = with_version(bits, 8).hex
        return FreshId(derived) if self.are_fresh else derived


def _time_of(batch_id: str) -> int | None:
    """The number of a generated batch id, whose first bits are its time; None for another id."""
    try:
        known = UUID(batch_id)
    except ValueError:
        return None
    return known.int if known.version == 8 and known.hex == batch_id else None
