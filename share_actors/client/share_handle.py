"""One share, in the synchronous client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self, Unpack

from share_actors.audit.explanation import Explanation
from share_actors.client.background_loop import run
from share_actors.client.keywords import RequestOptions
from share_actors.client.receipt import Receipt
from share_actors.client.share import AsyncShare
from share_actors.events.envelope import Recorded
from share_actors.values import AccessRule, Share, Snapshot


class ShareHandle:
    """One share; its properties are as of the last reply or `refresh`. See `AsyncShare`.

    Every request takes the options of `RequestOptions`: `wait`, `timeout` and `command_id`.
    """

    def __init__(self, share: AsyncShare) -> None:
        self._share = share

    def __repr__(self) -> str:
        return repr(self._share)

    @property
    def id(self) -> str:
        """The share's id."""
        return self._share.id

    @property
    def seen(self) -> Share:
        """All the share's fields, as last seen."""
        return self._share.seen

    @property
    def receipt(self) -> Receipt | None:
        """The receipt of the last request through this handle."""
        return self._share.receipt

    @property
    def name(self) -> str | None:
        """Its name; names need not be unique."""
        return self._share.name

    @property
    def status(self) -> str:
        """Its status, such as `available` or `error`."""
        return self._share.status

    @property
    def status_reason(self) -> str | None:
        """Why it is in error, or why its backend refused the last request."""
        return self._share.status_reason

    @property
    def size(self) -> int:
        """In GiB."""
        return self._share.size

    @property
    def export_locations(self) -> tuple[str, ...]:
        """Paths by which clients reach the share, the preferred ones first."""
        return self._share.export_locations

    @property
    def access_rules(self) -> tuple[AccessRule, ...]:
        """Its access rules, the oldest first."""
        return self._share.access_rules

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """Its snapshots, the oldest first."""
        return self._share.snapshots

    def refresh(self) -> Self:
        """Update the properties from the share's entity; raises `NotFound`."""
        run(self._share.refresh())
        return self

    def allow_access(
        self,
        to: str,
        *,
        type: str = "user",  # noqa: A002 - Manila's name
        level: str = "rw",
        **options: Unpack[RequestOptions],
    ) -> AccessRule:
        """Allow *to* access to the share; the same rule twice is one rule."""
        return run(self._share.allow_access(to, type=type, level=level, **options))

    def deny_access(self, rule: AccessRule | str, **options: Unpack[RequestOptions]) -> None:
        """Remove a rule (or the rule with this id); raises `NotFound`."""
        run(self._share.deny_access(rule, **options))

    def create_snapshot(
        self, name: str | None = None, **options: Unpack[RequestOptions]
    ) -> Snapshot:
        """Create a snapshot; raises `Refused` if the backend does not support snapshots."""
        return run(self._share.create_snapshot(name, **options))

    def delete_snapshot(self, snapshot: Snapshot | str, **options: Unpack[RequestOptions]) -> None:
        """Delete one of the share's snapshots (or the one with this id); raises `NotFound`."""
        run(self._share.delete_snapshot(snapshot, **options))

    def extend(self, size: int, **options: Unpack[RequestOptions]) -> Self:
        """Extend the share to *size* GiB; raises `Refused` if that is not more than now."""
        run(self._share.extend(size, **options))
        return self

    def shrink(self, size: int, **options: Unpack[RequestOptions]) -> Self:
        """Shrink the share to *size* GiB; raises `OperationFailed` if more is used."""
        run(self._share.shrink(size, **options))
        return self

    def delete(self, cascade: bool = False, **options: Unpack[RequestOptions]) -> Self:
        """Delete the share, with its snapshots if *cascade*; raises `Refused` if it has any otherwise."""
        run(self._share.delete(cascade, **options))
        return self

    def retry(self, **options: Unpack[RequestOptions]) -> Self:
        """Retry what failed on the share, its rules and its snapshots; `Refused` if nothing is in error."""
        run(self._share.retry(**options))
        return self

    def unmanage(self, **options: Unpack[RequestOptions]) -> Self:
        """Remove the share from the system; its data on the backend are left in place."""
        run(self._share.unmanage(**options))
        return self

    def manage_snapshot(
        self,
        provider_location: str,
        name: str | None = None,
        *,
        driver_options: Mapping[str, object] | None = None,
        **options: Unpack[RequestOptions],
    ) -> Snapshot:
        """Manage what is at *provider_location* on the backend as a snapshot of this share."""
        job = self._share.manage_snapshot(
            provider_location, name, driver_options=driver_options, **options
        )
        return run(job)

    def unmanage_snapshot(
        self, snapshot: Snapshot | str, **options: Unpack[RequestOptions]
    ) -> None:
        """Remove a snapshot from the system; its data on the backend are left in place."""
        run(self._share.unmanage_snapshot(snapshot, **options))

    def history(self) -> list[Recorded]:
        """All events of the share; `share_actors.sentence` describes one."""
        return run(self._share.history())

    def explain(self) -> Explanation:
        """Why the share is in its status: pending work, attempts, and what can be done now."""
        return run(self._share.explain())
