"""What projects may use and do use: their quotas, and the sums that the catalog keeps of what counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from share_actors.events import quota as aggregate
from share_actors.events.catalog import sql
from share_actors.events.catalog.part_queries import PartQueries
from share_actors.events.catalog.rows import searchable
from share_actors.events.uses import Account, Charged, Use, charged
from share_actors.values import AsOf, Quota


class ProjectUses(NamedTuple):
    """The limits that were set for a project, and what is used of them by each user and share type."""

    quota: Quota
    uses: Mapping[Account, Use]


class Uses(NamedTuple):
    """What was asked for of some projects, and what single entities use, by address.

    *default* has the limits of projects without their own. *is_limited*: whether any limit was set at all.
    While the catalog catches up, the sums and *is_limited* are as of *as_of*; all else is always complete.
    """

    projects: Mapping[str, ProjectUses]
    default: Quota
    charged: Mapping[str, Charged]
    is_limited: bool
    as_of: AsOf | None = None


class UseQueries(PartQueries):
    """Queries about quotas; each first applies all events that the log has."""

    def uses(self, projects: Sequence[str] = (), addresses: Sequence[str] = ()) -> Uses:
        """The quotas and the use of *projects*, and of the projects of the entities at *addresses*."""
        self.catch_up()
        states = self._currents(addresses)
        found = {i: use for i, state in states.items() if (use := charged(state)) is not None}
        wanted = dict.fromkeys([*projects, *(each.account.project_id for each in found.values())])
        of = {project: aggregate.address_of(project) for project in wanted}
        default = aggregate.address_of(None)
        quotas = self._currents([*of.values(), default])
        limited = self._store.rows(sql.Query(sql.LIMITED, []))
        return Uses(
            {
                p: ProjectUses(quotas.get(address, Quota()), self._sums(p))
                for p, address in of.items()
            },
            quotas.get(default, Quota()),
            found,
            bool(limited),
            self._behind,
        )

    def _sums(self, project: str) -> dict[Account, Use]:
        rows = self._store.rows(sql.Query(sql.USES, [searchable(project)]))
        sums = ((Account(project, row["user_id"], row["share_type"]), row) for row in rows)
        uses = {account: Use(*(row[part] for part in Use._fields)) for account, row in sums}
        return {account: use for account, use in uses.items() if any(use)}
