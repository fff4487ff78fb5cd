"""What became of the items of a batch."""

from __future__ import annotations

from dataclasses import dataclass

from share_actors.client.receipt import Receipt
from share_actors.errors import ShareActorsError
from share_actors.values import AccessRule, Share


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of one item of a batch: its `receipt`, or the `error` that it was refused with, or both.

    `index` is its place in the batch, from 0; `key` identifies it there (default: the index as a text).
    Both are set if the request was recorded and failed. `rule` is the rule that access was allowed by.
    """

    index: int
    key: str
    command_id: str
    receipt: Receipt | None = None
    error: ShareActorsError | None = None
    rule: AccessRule | None = None

    @property
    def ok(self) -> bool:
        """Whether its work is done, or if the batch does not wait, recorded."""
        return self.error is None

    @property
    def share_id(self) -> str | None:
        """The id of the share that it was about; None if it was refused."""
        if self.receipt is not None:
            return self.receipt.share_id
        return None if self.error is None else self.error.details.get("share_id")

    @property
    def share(self) -> Share | None:
        """The share when the work ended, see `Receipt.share`; None if it was refused, or not waited for."""
        return None if self.receipt is None else self.receipt.share
