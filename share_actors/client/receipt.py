"""The receipt of a request."""

from __future__ import annotations

from typing import NamedTuple

from share_actors.actors.messaging.messages import CommandReply, unpack_error
from share_actors.audit.trail import Tried
from share_actors.errors import OperationFailed
from share_actors.values import Share


class Receipt(NamedTuple):
    """A request that is recorded and durable. `status`: accepted (in progress), done, or failed.

    `version` is that of the share (or other entity) once the request was recorded; `reason` says why
    it failed. `view` is the JSON of `share`; `part` is true if that has one rule or snapshot only.
    """

    share_id: str
    command_id: str
    status: str
    version: int = 0
    reason: str | None = None
    view: bytes | None = None
    part: bool = False
    attempt: Tried | None = None
    """The last attempt of a request in progress, when its receipt was looked up; None: not started yet."""
    trace_id: str | None = None
    """The id of the request's trace, if it is traced and the share's process knows it."""

    @property
    def share(self) -> Share | None:
        """The share when the work ended; None while in progress.

        For a request about one rule or snapshot it has that one only (and `part` is true).
        """
        return None if self.view is None else Share.model_validate_json(self.view, extra="ignore")


def receipt_of(reply: CommandReply) -> Receipt:
    """The receipt in *reply*; raises the reply's error if it has one."""
    if reply.error is not None:
        raise unpack_error(reply.error)
    return Receipt(
        share_id=reply.share_id,
        command_id=reply.command_id,
        status=reply.status,
        version=reply.version,
        reason=reply.reason,
        view=reply.view,
        part=reply.part,
        trace_id=reply.trace_id or None,
    )


def raise_for_status(receipt: Receipt) -> Receipt:
    """*receipt*; raises `OperationFailed` if its work failed."""
    if receipt.status != "failed":
        return receipt
    raise OperationFailed(
        f"share {receipt.share_id}: {receipt.reason}",
        field="id",
        value=receipt.share_id,
        share_id=receipt.share_id,
        command_id=receipt.command_id,
    )
