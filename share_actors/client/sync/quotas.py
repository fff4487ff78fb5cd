"""The synchronous form of `client/quotas.py`, method for method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Unpack

from share_actors.client.keywords import RequestOptions
from share_actors.client.quotas import AsyncQuotaCollection
from share_actors.client.sync.background_loop import run
from share_actors.client.sync.entities import EntityCollection
from share_actors.values import Quota, QuotaUsage


class QuotaCollection(EntityCollection[Quota]):
    """The quotas of projects, and of users and share types in them; see `AsyncQuotaCollection`."""

    def __init__(self, collection: AsyncQuotaCollection) -> None:
        super().__init__(collection)
        self._quotas = collection

    def usage(
        self,
        project_id: str | None = None,
        *,
        user_id: str | None = None,
        share_type: str | None = None,
    ) -> QuotaUsage:
        """What a project (default: the user's), or a user or share type in it, may use, uses and reserves."""
        return run(self._quotas.usage(project_id, user_id=user_id, share_type=share_type))

    def usages(
        self,
        projects: Sequence[str],
        *,
        user_id: str | None = None,
        share_type: str | None = None,
    ) -> Sequence[QuotaUsage]:
        """The same for each of several *projects* (at most 1,000), in their order."""
        return run(self._quotas.usages(projects, user_id=user_id, share_type=share_type))

    def set(
        self,
        limits: Mapping[str, int],
        project_id: str | None = None,
        *,
        user_id: str | None = None,
        share_type: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> Quota:
        """Set *limits*, by name, for a project (default: the user's), or for a user or share type in it."""
        job = self._quotas.set(
            limits, project_id, user_id=user_id, share_type=share_type, **options
        )
        return run(job)

    def unset(
        self,
        names: Iterable[str] = (),
        project_id: str | None = None,
        *,
        user_id: str | None = None,
        share_type: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> Quota:
        """Remove limits that were set, by name (default: all of them): the default ones hold again."""
        job = self._quotas.unset(
            names, project_id, user_id=user_id, share_type=share_type, **options
        )
        return run(job)

    def set_default(self, limits: Mapping[str, int], **options: Unpack[RequestOptions]) -> Quota:
        """Set the limits of projects that have none of their own; they precede the configuration's."""
        return run(self._quotas.set_default(limits, **options))

    def unset_default(self, names: Iterable[str] = (), **options: Unpack[RequestOptions]) -> Quota:
        """Remove default limits, by name (default: all of them): the configuration's hold again."""
        return run(self._quotas.unset_default(names, **options))
