"""The ledger against a plain model, and its looks at the catalog."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from share_actors.actors.scheduling.ledger import Ledger
from share_actors.events.catalog.queries import Rooms
from tests.actors.ledger_histories import History


@pytest.mark.parametrize("seed", range(8))
def test_in_any_history_the_ledger_counts_what_shares_take(tmp_path: Path, seed: int) -> None:
    history = History(tmp_path, seed)
    try:
        history.run(300)
    finally:
        history.close()


def test_creations_that_wait_for_the_ledger_share_one_look_at_the_catalog() -> None:
    class SlowCatalog:
        """A catalog that is asked again before it has answered."""

        asked = 0

        async def ask(self, query: str, /, **parameters: Any) -> Rooms:
            self.asked += 1
            await asyncio.sleep(0.01)
            return Rooms({}, {})

    async def scenario() -> None:
        catalog = SlowCatalog()
        ledger = Ledger(catalog)

        await asyncio.gather(*(ledger.read() for _ in range(400)))

        assert catalog.asked <= 2  # the second one began after all of them had asked

    asyncio.run(scenario())
