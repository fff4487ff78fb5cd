"""The room of a pool in random histories: each request is taken exactly if it fits."""

from __future__ import annotations

from collections.abc import Coroutine
from random import Random
from typing import Any

import pytest

from share_actors.errors import NoValidHost
from share_actors.events.share.manage import UnmanageShare
from share_actors.events.share.messages import DeleteShare, ExtendShare, RetryShare, ShrinkShare
from tests.actors.two_backend_system import TwoBackendSystem, manage, replaced_manager, with_options


class Model:
    """What each share of the pool takes, and what a share in error takes after a retry."""

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}
        self.retry: dict[str, int] = {}
        self.left = 0

    def fits(self, more: int) -> bool:
        return sum(self.taken.values()) + self.left + more <= CAPACITY


CAPACITY = 50
FAIL = {"create_share": "no", "extend_share": "no"}


class Histories:
    """Sends random commands one after another; each must be answered as the model says."""

    def __init__(self, system: TwoBackendSystem, seed: int) -> None:
        self.system, self.random, self.model = system, Random(seed), Model()
        self.failing, self._numbers = False, 0

    async def run(self, steps: int) -> None:
        kinds = [self.create, self.create, self.extend, self.shrink, self.delete, self.retry]
        kinds += [self.manage, self.unmanage, self.report, self.toggle, self.restart]
        for step in self.random.choices(kinds, k=steps):
            await step()
            await self.system.manager._scheduler.ledger.read()
            taken = self.system.manager._scheduler.ledger.room("plain#plain")
            assert taken.provisioned == sum(self.model.taken.values())

    def some(self) -> str | None:
        """A share that is available."""
        available = [i for i in self.model.taken if i not in self.model.retry]
        return self.random.choice(available) if available else None

    def size(self) -> int:
        return self.random.randint(1, 25)

    async def asked(self, more: int, command: Coroutine[Any, Any, Any]) -> str:
        """The status of the outcome, which is a refusal exactly if *more* does not fit."""
        try:
            reply = await command
        except NoValidHost:
            assert not self.model.fits(more)
            return "refused"
        assert self.model.fits(more)
        return str(reply.status)

    async def create(self) -> None:
        self._numbers += 1
        share_id, size = f"s{self._numbers}", self.size()
        status = await self.asked(size, self.system.create_reply(share_id, size=size, host="plain"))
        if status != "refused":
            assert status == ("failed" if self.failing else "done")
            self.model.taken[share_id] = 0 if self.failing else size
            if self.failing:
                self.model.retry[share_id] = size

    async def extend(self) -> None:
        if (share_id := self.some()) is None:
            return
        more = self.size()
        target = self.model.taken[share_id] + more
        status = await self.asked(more, self.system.ask(share_id, ExtendShare(size=target)))
        if status == "failed":
            self.model.retry[share_id] = target
        elif status == "done":
            self.model.taken[share_id] = target

    async def retry(self) -> None:
        if not self.model.retry:
            return
        share_id = self.random.choice(list(self.model.retry))
        target = self.model.retry[share_id]
        more = target - self.model.taken[share_id]
        if await self.asked(more, self.system.ask(share_id, RetryShare())) == "done":
            self.model.taken[share_id] = self.model.retry.pop(share_id)

    async def shrink(self) -> None:
        if (share_id := self.some()) is not None and self.model.taken[share_id] > 1:
            size = self.random.randint(1, self.model.taken[share_id] - 1)
            await self.system.ask(share_id, ShrinkShare(size=size))
            self.model.taken[share_id] = size

    async def delete(self) -> None:
        if self.model.taken:
            share_id = self.random.choice(list(self.model.taken))
            await self.system.ask(share_id, DeleteShare())
            del self.model.taken[share_id]
            self.model.retry.pop(share_id, None)

    async def manage(self) -> None:
        self._numbers += 1
        share_id, size = f"m{self._numbers}", self.random.randint(1, 3)
        if self.model.fits(size):
            await self.system.ask(share_id, manage(share_id, size))
            self.model.taken[share_id] = size
            await self.report()  # the driver finds what it did not have before

    async def unmanage(self) -> None:
        if (share_id := self.some()) is not None:
            await self.system.ask(share_id, UnmanageShare())
            self.model.left += self.model.taken.pop(share_id)

    async def report(self) -> None:
        await self.system.manager.publish_service_capabilities(None, "plain")

    async def toggle(self) -> None:
        self.failing = not self.failing
        options: dict[str, Any] = {"fail": FAIL} if self.failing else {}
        await with_options(self.system, capacity_gib=CAPACITY, **options)

    async def restart(self) -> None:
        replaced_manager(self.system)


@pytest.mark.parametrize("seed", range(4))
def test_in_any_history_each_request_is_taken_exactly_if_it_fits(
    run_scenario: Any, seed: int
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await Histories(system, seed).run(60)

    run_scenario(scenario, capacity_gib=CAPACITY)
