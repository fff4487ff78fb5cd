"""Admission by quotas: what a project has no quota for is refused before anything is recorded.

Every command that uses more of a quota passes through the one manager. In a project without limits that
costs a look-up in a table.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from share_actors.actors.messaging.messages import CommandMessage, CommandReply, unpack_error
from share_actors.actors.messaging.routes import COUNTED
from share_actors.actors.ports import CatalogPort
from share_actors.actors.scheduling.ledger import Decision
from share_actors.actors.scheduling.quota_claims import Asked
from share_actors.actors.scheduling.quota_errors import exceeded
from share_actors.actors.scheduling.quota_ledger import QuotaLedger
from share_actors.actors.scheduling.quota_limits import ProjectAccount, Scope
from share_actors.actors.scheduling.quota_requests import (
    NEW,
    asked_by_new,
    asked_of_share,
    project_of,
)
from share_actors.config import QuotaSettings
from share_actors.errors import NOT_RECORDED, Busy, ShareActorsError
from share_actors.events import quota
from share_actors.events.topics import ENTITY_KINDS
from share_actors.values import PlacementRequest, QuotaUsage

logger = logging.getLogger(__name__)
REFRESH_S = 5.0
"""How old limits and sums get before they are read again in the background, while they are in use."""


class Admission:
    """Admits commands by the quotas of their projects.

    *is_recorded* says of a repeated command whether it is in the log already.
    """

    def __init__(
        self,
        catalog: CatalogPort,
        settings: QuotaSettings,
        is_recorded: Callable[[CommandMessage], Awaitable[bool]],
    ) -> None:
        self.ledger = QuotaLedger(catalog, settings)
        self._is_recorded = is_recorded
        self._refreshing: dict[str, asyncio.Task[None]] = {}

    def reconfigure(self, settings: QuotaSettings) -> None:
        """Continue with other limits for projects without their own."""
        self.ledger.settings = settings
        self.ledger.forget_limits(quota.address_of(None))

    # -- before a command is routed ----------------------------------------------------------------
    def passes(self, message: CommandMessage, request: PlacementRequest | None = None) -> bool:
        """Whether the command is admitted by what is known now; nothing is reserved if it is not.

        *request* is its placement request with all that its snapshot and the configuration imply.
        """
        if message.topic not in COUNTED:
            return True
        ledger = self.ledger
        if ledger.nothing_is_limited:
            self._refresh("" if ledger.age_s("") > REFRESH_S else None)
            return True
        project_id = project_of(message)
        account = None if project_id is None else ledger.known(project_id)
        if project_id is None or account is None:
            return False
        self._refresh(project_id if ledger.age_s(project_id) > REFRESH_S else None)
        return account.is_unlimited or self._reserves_now(message, request, account)

    def _reserves_now(
        self, message: CommandMessage, request: PlacementRequest | None, account: ProjectAccount
    ) -> bool:
        """Reserve what a new entity needs, if the sums that are known leave that much."""
        if message.topic not in NEW or message.repeated or not account.is_settled:
            return False
        asked = asked_by_new(message, request)
        if asked is None:
            return True  # its entity refuses it
        self.ledger.watch(asked.decision)
        if self.ledger.take(asked) is None:
            return True
        self.ledger.cancel(asked.decision)
        return False

    def withdraw(self, message: CommandMessage) -> None:
        """Give back what `passes` reserved: the command is looked at again before it is routed."""
        self.ledger.cancel(Decision(message.share_id, message.command_id))

    async def admit(self, message: CommandMessage, request: PlacementRequest | None = None) -> None:
        """Reserve what the command needs.

        Raises `OverQuota`, or `Busy` while the catalog does not have the sums of its project yet.
        """
        if self.passes(message, request):
            return
        self.ledger.watch(Decision(message.share_id, message.command_id))
        asked = await self._asked(message, request)
        if asked is not None:
            account = await self._known(asked.account.project_id)
            if not account.is_unlimited:
                await self._reserve(message, asked, account)

    async def _asked(
        self, message: CommandMessage, request: PlacementRequest | None
    ) -> Asked | None:
        address, project_id = message.share_id, project_of(message)
        if project_id is None:
            await self.ledger.read([], [address])
            if (present := self.ledger.present(address)) is None:
                return None
            project_id = present.account.project_id
        await self.ledger.read([project_id], [address])
        if message.topic in NEW:
            return asked_by_new(message, request)
        return asked_of_share(message, request, self.ledger.present(message.share_id))

    async def _known(self, project_id: str) -> ProjectAccount:
        """The account of a project; its limits may just have been changed."""
        for _ in range(3):
            if (account := self.ledger.known(project_id)) is not None:
                return account
            await self.ledger.read([project_id])
        return self.ledger.account(project_id)

    async def _reserve(
        self, message: CommandMessage, asked: Asked, account: ProjectAccount
    ) -> None:
        if not account.is_summed:
            text = (
                f"what project {asked.account.project_id} uses of its quotas is not known yet: the catalog"
                f" catches up with the log{NOT_RECORDED}"
            )
            raise Busy(text, field="project_id", value=asked.account.project_id, retry_after=1.0)
        lack = self.ledger.take(asked)
        if lack is not None and not await self._is_recorded(message):
            raise exceeded(asked.account.project_id, lack)

    def _refresh(self, project_id: str | None) -> None:
        """Read a project again in the background, unless that is done already."""
        if project_id is None or project_id in self._refreshing:
            return
        task = asyncio.get_running_loop().create_task(self._read_again(project_id))
        self._refreshing[project_id] = task

    async def _read_again(self, project_id: str) -> None:
        try:
            await self.ledger.read([project_id])
        except ShareActorsError as error:
            logger.debug("the quotas of project %s were not read: %s", project_id, error)
        finally:
            del self._refreshing[project_id]

    # -- after it was answered ---------------------------------------------------------------------
    def before_routing(self, message: CommandMessage) -> None:
        """Forget the limits that the command changes."""
        if ENTITY_KINDS.get(message.topic) == quota.KIND:
            self.ledger.forget_limits(message.share_id)

    def after_reply(
        self, message: CommandMessage, reply: CommandReply, not_recorded: tuple[type, ...]
    ) -> None:
        """Note whether the command was recorded; *not_recorded* are the errors that say that it was not."""
        is_quota = ENTITY_KINDS.get(message.topic) == quota.KIND
        if message.topic not in COUNTED and not is_quota:
            return
        error = None if reply.error is None else unpack_error(reply.error)
        in_doubt = error is not None and not isinstance(error, not_recorded)
        if is_quota:
            self.ledger.forget_limits(message.share_id, in_doubt=in_doubt)
            return
        decision = Decision(message.share_id, message.command_id)
        if in_doubt:
            self.ledger.doubt(decision)
        elif error is None:
            self.ledger.record(decision)
        else:
            self.ledger.cancel(decision)

    # -- questions -----------------------------------------------------------------------------------
    async def usage(self, projects: Sequence[str], scope: Scope) -> list[QuotaUsage]:
        """The quotas of *projects* with all that is recorded, and what is reserved; raises `Busy`."""
        await self.ledger.read(projects)
        for project_id in projects:
            if not self.ledger.account(project_id).is_summed:
                raise Busy("the catalog catches up with the log", retry_after=1.0)
        return [self.ledger.usage(project_id, scope) for project_id in projects]
