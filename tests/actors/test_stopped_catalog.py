"""A catalog that has stopped says that the system is stopping, whatever it is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from share_actors.actors.catalog import CatalogActor
from share_actors.config import Config
from share_actors.errors import Unavailable
from share_actors.events.event_filter import event_filter
from share_actors.testing import InMemoryLog
from tests.conftest import within

Request = Callable[[CatalogActor], Awaitable[object]]


@pytest.mark.parametrize(
    "request_of",
    [
        lambda catalog: catalog.ask("share", share_id="s"),
        lambda catalog: catalog.events(0, event_filter()),
        lambda catalog: catalog.history("s"),
        lambda catalog: catalog.status(),
        lambda catalog: catalog.rebuild(),
        lambda catalog: catalog.unpark("share-s"),
    ],
    ids=["ask", "events", "history", "status", "rebuild", "unpark"],
)
def test_a_stopped_catalog_is_unavailable(tmp_path: Path, request_of: Request) -> None:
    async def scenario() -> None:
        catalog = CatalogActor(Config(home=tmp_path), open_log=lambda *_: InMemoryLog())
        await catalog.ask("share", share_id="s")
        await catalog.stop()
        with pytest.raises(Unavailable, match="the system is stopping"):
            await request_of(catalog)

    within(60, scenario())
