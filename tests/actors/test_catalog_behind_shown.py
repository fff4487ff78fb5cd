"""What the command line shows of a catalog that is far behind the log."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from share_actors.actors import catalog_follower
from share_actors.actors.catalog_follower import CatalogFollower
from share_actors.actors.catalog_progress import Progress
from share_actors.actors.runtime.system_state import SystemState
from share_actors.cli.commands.system.started import print_started
from share_actors.cli.commands.system.status import print_status
from share_actors.cli.options import End, fetch_pages
from share_actors.cli.output import Output
from share_actors.cli.session import Session
from share_actors.config import Config
from share_actors.testing import InMemoryLog, SyncInProcessSystem, sync_system
from share_actors.values import AsOf, Counts, Page
from tests.actors.test_catalog_behind import SHARES, Brake, brake, log
from tests.command_tree import invoke

__all__ = ["brake", "log"]


@pytest.fixture
def behind(
    brake: Brake, log: InMemoryLog, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SyncInProcessSystem]:
    """The command line of a system whose catalog has nothing of its log."""
    with sync_system(log=log) as system:
        monkeypatch.setattr(Session, "system", system)
        yield system


@pytest.mark.usefixtures("behind")
def test_a_list_shows_as_of_which_event_it_is() -> None:
    shown = invoke(["share", "list"]).output

    assert "As of event 0 of 9" in " ".join(shown.split())
    assert "--wait SECONDS" in " ".join(shown.split())


@pytest.mark.usefixtures("behind")
def test_a_list_in_json_has_the_event() -> None:
    document = json.loads(invoke(["share", "list", "--json"]).stdout)

    assert document["as_of"]["applied"] == 0
    assert document["as_of"]["head"] >= 3 * SHARES


@pytest.mark.usefixtures("behind")
def test_a_list_that_waits_is_shown_whole(brake: Brake) -> None:
    brake.released = True

    shown = invoke(["share", "list", "--wait", "60", "--json"]).stdout

    assert len(json.loads(shown)["shares"]) == SHARES
    assert json.loads(shown)["as_of"] is None


@pytest.mark.usefixtures("behind")
def test_a_list_that_waits_too_long_fails_and_says_how_far_the_catalog_is() -> None:
    result = invoke(["share", "list", "--wait", "0.1"])

    assert result.exit_code == 11
    assert "0 of 9" in " ".join(result.output.split())


def test_all_pages_are_as_of_the_first_that_is_not_whole() -> None:
    pages = iter([Page(("a",), "1"), Page(("b",), "2", AsOf(1, 9)), Page(("c",), None)])

    items, end = fetch_pages(lambda **_: next(pages), 1, None, True)

    assert (items, end) == (["a", "b", "c"], End(None, AsOf(1, 9)))


@pytest.mark.parametrize("as_json", [False, True])
def test_a_start_shows_as_of_which_event_its_counts_are(
    behind: SyncInProcessSystem, tmp_path: Path, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config.model_validate({"log": {"path": str(tmp_path / "log.db")}})
    session: Any = SimpleNamespace(json=as_json, output=Output(), config=config, home=tmp_path)

    print_started(session, SystemState(address="a", namespace="n"), behind, was_running=False)

    captured = capsys.readouterr()
    if as_json:
        assert json.loads(captured.out)["as_of"]["applied"] == 0
    else:
        shown = " ".join((captured.out + captured.err).split())
        assert "As of event 0 of 9" in shown
        assert "--wait" not in shown


def test_the_status_shows_rate_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    catalog: dict[str, Any] = {"pid": 7, "events": 900, "applied": 300, "behind": 600, "parked": []}
    catalog |= {"events_per_s": 200.0, "seconds_left": 3.0}

    print_status(
        Output(),
        {
            **{"namespace": "n", "address": "a", "log": {"kind": "sqlite", "where": "w"}},
            **{"manager": {"error": "none"}, "catalog": catalog},
        },
    )

    shown = " ".join(capsys.readouterr().out.split())
    assert "600 events behind the log: 300 of 900 events are applied, 200 a second" in shown
    assert "about 3 s left" in shown


def test_the_rate_is_that_of_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 2.0, 4.0])
    clock = SimpleNamespace(monotonic=lambda: next(times))
    monkeypatch.setattr(catalog_follower, "time", clock)
    follower = CatalogFollower(lambda job: pytest.fail("no job"), lambda: pytest.fail("no catalog"))

    for applied in (0, 200, 400):
        follower._note(AsOf(applied, 1000))

    assert follower.progress(AsOf(400, 1000)) == Progress(400, 1000, 100.0, 6.0)
    assert follower.progress(AsOf(1000, 1000)) == Progress(1000, 1000)


def test_pages_and_counts_keep_how_far_they_are_on_the_way_between_processes() -> None:
    page, counts = Page(("s",), "next", AsOf(1, 2)), Counts({"available": 3}, AsOf(1, 2))

    page_sent, counts_sent = pickle.loads(pickle.dumps((page, counts)))

    assert (page_sent, page_sent.as_of) == ((("s",), "next"), AsOf(1, 2))
    assert (counts_sent, counts_sent.as_of) == ({"available": 3}, AsOf(1, 2))
