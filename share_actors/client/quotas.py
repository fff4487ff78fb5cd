"""The asynchronous client's quotas: the limits of projects, and what is used of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Unpack

from share_actors.actors.messaging.messages import build
from share_actors.actors.messaging.parameters import mapping, sequence, word
from share_actors.client.entities import AsyncEntityCollection
from share_actors.client.keywords import RequestOptions
from share_actors.errors import NotFound, shorten
from share_actors.events.quota import DEFAULT, SetQuota, UnsetQuota, address_of, quota_id
from share_actors.values import Quota, QuotaUsage


class AsyncQuotaCollection(AsyncEntityCollection[Quota]):
    """The quotas of projects, and of users and share types in them.

    `list` has the projects with limits of their own, and `get` and `history` take the project's id; what
    holds for one, with the defaults, and what it uses is in `usage`.
    Administrators of the system set limits; the members of a project see theirs.
    """

    _kind = "quota"
    _entity_type = Quota

    async def usage(
        self,
        project_id: str | None = None,
        *,
        user_id: str | None = None,
        share_type: str | None = None,
    ) -> QuotaUsage:
        """What a project (default: the user's) may use, uses and has reserved; or a user or share type in it.

        It has all that was recorded before the call. Raises `NotFound` for another project's.
        """
        project = self._project(project_id)
        [usage] = await self.usages([project], user_id=user_id, share_type=share_type)
        return usage

    async def usages(
        self,
        projects: Sequence[str],
        *,
        user_id: str | None = None,
        share_type: str | None = None,
    ) -> Sequence[QuotaUsage]:
        """The same for each of several *projects* (at most 1,000), in their order."""
        usages: list[QuotaUsage] = await self._requests.ask_manager(
            "quota_usage", list(sequence("projects", projects)), user_id, share_type
        )
        return usages

    async def set(
        self,
        limits: Mapping[str, int],
        project_id: str | None = None,
        *,
        user_id: str | None = None,
        share_type: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> Quota:
        """Set *limits*, by name, for a project (default: the user's), or for a user or share type in it.

        Names: `shares`, `gigabytes`, `snapshots`, `snapshot_gigabytes`, `share_networks` and
        `per_share_gigabytes`; -1 is unlimited. Others stay as they are. A limit may be less than what is
        used: then nothing more is accepted, and what is there stays.
        """
        project = self._project(project_id)
        scope = {"user_id": user_id, "share_type": share_type, "project_id": project}
        fields = {**scope, "quota_id": quota_id(project), "limits": mapping("limits", limits)}
        return await self._ask(address_of(project), build(SetQuota, fields), **options)

    async def unset(
        self,
        names: Iterable[str] = (),
        project_id: str | None = None,
        *,
        user_id: str | None = None,
        share_type: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> Quota:
        """Remove limits that were set, by name (default: all of them): the default ones hold again.

        Raises `Refused` or `NotFound` if they were not set.
        """
        fields = {"user_id": user_id, "share_type": share_type, "names": sequence("names", names)}
        address = await self._address(self._project(project_id))
        return await self._ask(address, build(UnsetQuota, fields), **options)

    async def set_default(
        self, limits: Mapping[str, int], **options: Unpack[RequestOptions]
    ) -> Quota:
        """Set the limits of projects that have none of their own; they precede the configuration's."""
        fields = {"quota_id": DEFAULT, "project_id": "", "limits": mapping("limits", limits)}
        return await self._ask(address_of(None), build(SetQuota, fields), **options)

    async def unset_default(
        self, names: Iterable[str] = (), **options: Unpack[RequestOptions]
    ) -> Quota:
        """Remove default limits, by name (default: all of them): the configuration's hold again."""
        command = build(UnsetQuota, {"names": sequence("names", names)})
        return await self._ask(address_of(None), command, **options)

    async def _address(self, id_or_name: str) -> str:
        """The address of the quota of this project, which has been limited before; raises `NotFound`."""
        address = address_of(word("project_id", id_or_name))
        if await self._requests.catalog.ask("entity", address=address) is None:
            text = f"no limits were ever set for project {shorten(repr(id_or_name))}"
            raise NotFound(text, field="project_id", value=id_or_name)
        return address

    def _project(self, project_id: str | None) -> str:
        if project_id is None:
            return self._requests.context.project_id
        return word("project_id", project_id)
