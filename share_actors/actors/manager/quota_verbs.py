"""The manager's verb about quotas: what projects may use, do use, and have reserved by requests in flight."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from share_actors.actors.manager.middleware import Middleware
from share_actors.actors.manager.share_verbs import Context, caller_in, permit
from share_actors.actors.messaging.parameters import items, owner, refuse
from share_actors.actors.scheduling.quota_limits import Scope
from share_actors.errors import NotFound, shorten
from share_actors.policy import Owner, owns
from share_actors.values import QuotaUsage

MOST_PROJECTS = 1000
"""How many projects one call reads at most."""


class QuotaVerbs:
    """`quota_usage`."""

    _middleware: Middleware

    async def ready(self) -> None:
        """Return once commands can be routed."""
        raise NotImplementedError

    async def _wait_for_ledger(self) -> None:
        """Return once what an earlier manager sent is recorded."""
        raise NotImplementedError

    async def quota_usage(
        self,
        projects: Sequence[str],
        user_id: str | None = None,
        share_type: str | None = None,
        context: Context = None,
    ) -> list[QuotaUsage]:
        """The quotas of *projects*, or of one user or one share type in each of them, in their order.

        Raises `NotFound` for another project than the caller's, unless it is an admin of the system.
        """
        permit("quota_usage", context)
        if user_id is not None and share_type is not None:
            refuse("share_type", share_type, "is given together with user_id; give one of them")
        caller, names = (
            caller_in(context),
            [*map(partial(owner, "projects"), items("projects", projects))],
        )
        if len(names) > MOST_PROJECTS:
            refuse("projects", len(names), f"are more than {MOST_PROJECTS} projects")
        for project in names:
            if not (caller.is_system_admin or owns(caller, Owner(project))):
                text = f"there are no quotas of project {shorten(repr(project))}"
                raise NotFound(text, field="project_id", value=project)
        scope = Scope(
            None if user_id is None else owner("user_id", user_id),
            None if share_type is None else owner("share_type", share_type),
        )
        await self.ready()
        await self._wait_for_ledger()
        return await self._middleware.admission.usage(names, scope)
