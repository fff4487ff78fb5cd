"""The quota ledger: what projects use, as recorded, and what commands in flight have reserved since.

What is used is the catalog's sum over the streams of shares and networks, so it is never stored a second
time. What is reserved is known to the one manager through which all commands pass that use more. Each counts
from its admission on, and once: it is dropped by the first reading that began after it was recorded, or when
it was certainly not recorded. A new manager reads the sums once its predecessor's commands are recorded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from itertools import islice

from share_actors.actors.ports import CatalogPort
from share_actors.actors.scheduling.ledger import IN_DOUBT_S, MAX_WATCHED, Decision
from share_actors.actors.scheduling.quota_claims import Asked, Claim
from share_actors.actors.scheduling.quota_limits import (
    WHOLE,
    Lack,
    ProjectAccount,
    Scope,
    effective,
    limits_by_scope,
)
from share_actors.config import QuotaSettings
from share_actors.events.catalog.use_queries import ProjectUses, Uses
from share_actors.events.quota import address_of
from share_actors.events.uses import NOTHING, Charged
from share_actors.values import COUNTED, QUOTA_NAMES, UNLIMITED, QuotaUsage, QuotaUse

MAX_AGE_S = 60.0
"""How long limits are believed without another reading; while they are in use, they are read more often."""
MOST_PROJECTS = 100_000
"""How many projects without reservations are remembered."""


class QuotaLedger:
    """Limits, use and reservations of the projects that were asked about."""

    def __init__(self, catalog: CatalogPort, settings: QuotaSettings) -> None:
        self._catalog, self.settings = catalog, settings
        self._projects: dict[str, ProjectAccount] = {}
        self._claims: dict[str, Claim] = {}
        self._wanted: set[str] = set()
        self._addresses: set[str] = set()
        self._nothing_limited_at = self._doubtful_until = float("-inf")
        self._began = self._complete = self._forgotten = 0
        self._reading = asyncio.Lock()

    # -- what is known ---------------------------------------------------------------------------
    @property
    def nothing_is_limited(self) -> bool:
        """Whether certainly no limit is set, for no project."""
        return time.monotonic() - self._nothing_limited_at < MAX_AGE_S

    def known(self, project_id: str) -> ProjectAccount | None:
        """The account of a project with its present limits; None if they have to be read first."""
        account = self._projects.get(project_id)
        if account is None or time.monotonic() - account.read_at >= MAX_AGE_S:
            return None
        return account

    def account(self, project_id: str) -> ProjectAccount:
        """The account of a project that was read."""
        return self._projects[project_id]

    def age_s(self, project_id: str) -> float:
        """How many seconds ago the limits of a project were read."""
        account = self._projects.get(project_id)
        read_at = self._nothing_limited_at if account is None else account.read_at
        return time.monotonic() - read_at

    def present(self, address: str) -> Charged | None:
        """What a watched entity used at the last reading; None if there was no such entity."""
        claim = self._claims.get(address)
        return None if claim is None else claim.present

    @property
    def reservations(self) -> int:
        """How many commands are in flight, or may be."""
        return sum(len(claim.asked) for claim in self._claims.values())

    def usage(self, project_id: str, scope: Scope = WHOLE) -> QuotaUsage:
        """The quotas of a project that was read, or of a user or share type in it, with their use."""
        account = self._projects[project_id]
        limits = account.limits.get(scope, {})
        used, reserved = account.used.get(scope, NOTHING), account.reserved.get(scope, NOTHING)
        pairs = dict(zip(COUNTED, zip(used, reserved, strict=False), strict=False))
        quotas = {
            name: QuotaUse(limits.get(name, UNLIMITED), *pairs.get(name, (0, 0)))
            for name in QUOTA_NAMES
        }
        user_id, share_type = scope
        return QuotaUsage(
            project_id=project_id, user_id=user_id, share_type=share_type, quotas=quotas
        )

    # -- decisions -------------------------------------------------------------------------------
    def watch(self, decision: Decision) -> None:
        """Follow a message of a command until its reply: the next reading has what its entity uses now."""
        claim = self._claims.setdefault(decision.share_id, Claim())
        claim.waiting[decision.command_id] += 1

    def take(self, asked: Asked) -> Lack | None:
        """Reserve what a watched command needs, or return what there is not enough of.

        The limits of its project are known.
        """
        claim = self._claims[asked.decision.share_id]
        project = self._projects[asked.account.project_id]
        earlier = claim.asked.get(asked.decision.command_id)
        asked = asked if earlier is None else earlier.at_least(asked)
        more = claim.more_with(asked).minus(claim.more)
        size = asked.size if earlier is None and asked.size > claim.size else 0
        if (lack := project.lack(asked.account, more, size)) is not None:
            return lack
        self._count(claim, -1)
        claim.account = asked.account
        claim.asked[asked.decision.command_id] = asked
        self._count(claim, 1)
        return None

    def record(self, decision: Decision) -> None:
        """A message has its reply: the command is in the log, so that the next reading has it."""
        if (claim := self._with(decision)) is not None:
            claim.waiting[decision.command_id] -= 1
            claim.ended.add(decision.command_id)

    def doubt(self, decision: Decision) -> None:
        """A message has its reply: the command may be in the log, now or soon."""
        if (claim := self._with(decision)) is not None:
            claim.waiting[decision.command_id] -= 1
            claim.in_doubt[decision.command_id] = time.monotonic() + IN_DOUBT_S

    def cancel(self, decision: Decision) -> None:
        """A message has its reply: it is not recorded. What it reserved is given back after the last one."""
        claim = self._claims.get(decision.share_id)
        if claim is not None and claim.cancelled(decision.command_id):
            self._drop(decision.share_id, {decision.command_id})

    def _with(self, decision: Decision) -> Claim | None:
        """The claim with what a command reserved; a command that reserved nothing is forgotten."""
        claim = self._claims.get(decision.share_id)
        if claim is not None and decision.command_id not in claim.asked:
            self.cancel(decision)
            return None
        return claim

    def forget_limits(self, address: str, *, in_doubt: bool = False) -> None:
        """Read limits again before the next decision: those of the quota at *address* are being changed.

        *in_doubt*: perhaps they change within a while.
        """
        self._forgotten += 1
        self._nothing_limited_at = float("-inf")
        everyone = address == address_of(None)
        for project_id, account in self._projects.items():
            if everyone or address == address_of(project_id):
                account.read_at = float("-inf")
        if in_doubt:
            self._doubtful_until = time.monotonic() + IN_DOUBT_S

    # -- reading ---------------------------------------------------------------------------------
    async def read(self, projects: Iterable[str] = (), addresses: Iterable[str] = ()) -> None:
        """Read what is recorded of *projects*, and of the watched entities at *addresses*.

        Of the projects of these entities the limits are read too, and not the sums. Callers that wait share a
        reading. It has all that was recorded before the call.
        """
        self._wanted.update(projects)
        self._addresses.update(addresses)
        began = self._began
        async with self._reading:
            if self._complete > began:
                return
            self._began += 1
            await self._read(self._began)

    async def _read(self, number: int) -> None:
        wanted, self._wanted = self._wanted, set()
        looked_up, self._addresses = self._addresses, set()
        now, forgotten = time.monotonic(), self._forgotten
        over = {address: claim.over(now) for address, claim in self._claims.items()}
        watched = looked_up.union(islice(self._watched(wanted, over), MAX_WATCHED))
        try:
            uses = await self._catalog.ask(
                "uses", projects=sorted(wanted), addresses=sorted(watched)
            )
        except BaseException:
            self._wanted |= wanted
            self._addresses |= looked_up
            raise
        self._complete = number
        self._adopt_limits(uses, now if forgotten == self._forgotten else float("-inf"))
        for address in watched:
            self._note_present(address, uses.charged.get(address), uses.as_of is None)
        if uses.as_of is None:
            self._adopt_sums({project: uses.projects[project] for project in wanted}, over)
        self._forget_oldest()

    def _watched(self, projects: set[str], over: dict[str, set[str]]) -> Iterable[str]:
        for address, claim in self._claims.items():
            of = None if claim.account is None else claim.account.project_id
            if of in projects and claim.asked.keys() - over[address]:
                yield address

    def _adopt_limits(self, uses: Uses, read_at: float) -> None:
        if time.monotonic() < self._doubtful_until:
            read_at = float("-inf")
        for project_id, found in uses.projects.items():
            limits = limits_by_scope(self.settings, uses.default, found)
            account = self._projects.setdefault(project_id, ProjectAccount(limits))
            account.limits, account.read_at = limits, read_at
        whole = effective(self.settings, uses.default, uses.default)
        is_free = not uses.is_limited and uses.as_of is None and max(whole.values()) == UNLIMITED
        self._nothing_limited_at = read_at if is_free else float("-inf")

    def _adopt_sums(self, sums: Mapping[str, ProjectUses], over: dict[str, set[str]]) -> None:
        """Take over the sums of projects of which every watched entity was read at the same time."""
        for address, commands in over.items():
            claim = self._claims.get(address)
            account = None if claim is None else claim.account
            if account is not None and account.project_id in sums:
                self._drop(address, commands)
        for project_id, found in sums.items():
            self._projects[project_id].adopt(found.uses)

    def _forget_oldest(self) -> None:
        """Forget projects beyond the limit, except those with commands in flight."""
        too_many = len(self._projects) - MOST_PROJECTS
        if too_many > 0:
            accounts = (claim.account for claim in self._claims.values())
            busy = {account.project_id for account in accounts if account is not None}
            for project_id in [*islice((i for i in self._projects if i not in busy), too_many)]:
                del self._projects[project_id]

    # -- claims ----------------------------------------------------------------------------------
    def _note_present(self, address: str, present: Charged | None, is_whole: bool) -> None:
        claim = self._claims.get(address)
        if claim is None:
            return
        claim.present = present
        if claim.asked and not is_whole:  # the sums do not have what was read of it
            return
        self._count(claim, -1)
        claim.counted = present
        self._count(claim, 1)

    def _drop(self, address: str, commands: set[str]) -> None:
        claim = self._claims.get(address)
        if claim is None:
            return
        self._count(claim, -1)
        claim.drop(commands)
        self._count(claim, 1)
        if claim.is_idle:
            del self._claims[address]

    def _count(self, claim: Claim, sign: int) -> None:
        """Count what *claim* has reserved for its project, or no longer."""
        if claim.account is not None and claim.asked:
            project = self._projects[claim.account.project_id]
            project.reserve(claim.account, claim.more if sign > 0 else NOTHING.minus(claim.more))
