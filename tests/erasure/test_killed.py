"""A process that is killed while it forgets a subject: a repeated request, or the next start, ends it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from share_actors.actors.catalog import CatalogActor
from share_actors.config import Config, LogSettings
from share_actors.events.erasing import envelope_of
from share_actors.events.subject import SubjectForgotten, SubjectKept, stream_of_subject
from share_actors.values import RequestContext
from tests.audit.conftest import HOME, write
from tests.erasure.conftest import SealedConfig, Site
from tests.events.appending import eventually
from tests.kills import kill_at, steps_of

KEPT = {
    "before the mark": ("_ring.store", "mark_closing", False),
    "after the mark": ("_ring.store", "mark_closing", True),
    "while the key is locked": ("_ring.store", "lock", True),
    "before the marker": ("_ring.store", "mark_forgotten", False),
}
FORGOTTEN = {
    "after the marker": ("_ring.store", "mark_forgotten", True),
    "after the key was destroyed": ("_ring.store", "destroy", True),
    "before the catalog is written anew": ("_catalog", "rebuild", False),
    "before its file is written anew": ("_catalog", "compact", False),
    "before the event": ("_log", "append", False),
    "after the event": ("_log", "append", True),
    "before the mark is removed": ("_ring.store", "unmark_closing", False),
    "after the mark was removed": ("_ring.store", "unmark_closing", True),
}


def forget_and_die(config: Config, place: str, method: str, after: bool) -> None:
    """Forget alice in this process, and kill it before or after a step."""
    site = Site(config)
    eraser: Any = site.eraser()
    owner = eraser
    for name in place.split("."):
        owner = getattr(owner, name)
    setattr(owner, method, _dying(getattr(owner, method), after))
    plan = eraser.plan("user:alice")
    eraser.destroy(plan)
    asyncio.run(eraser.record(plan, envelope_of(RequestContext(user_id="officer"))))


def _dying(step: Callable[..., Any], after: bool) -> Callable[..., Any]:
    async def awaited(result: Any) -> None:
        await result
        os.kill(os.getpid(), signal.SIGKILL)

    def die(*args: Any) -> Any:
        result = step(*args) if after else None
        if asyncio.iscoroutine(result):
            return awaited(result)
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    return die


@pytest.fixture
def killed(sealed_config: SealedConfig, request: pytest.FixtureRequest) -> Config:
    """A log whose process was killed at a step of forgetting alice."""
    config = sealed_config()
    site = Site(config)
    write(site.log, "share-s1", HOME)
    site.catalog().shares()
    site.close()
    if (child := os.fork()) == 0:
        forget_and_die(config, *request.param)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    return config


def at(steps: dict[str, tuple[str, str, bool]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("killed", steps.values(), ids=steps, indirect=True)


@at(KEPT | FORGOTTEN)
def test_a_repeated_request_completes_it(killed: Config) -> None:
    site = Site(killed)
    plan = site.forget("user:alice")
    (subject_id,) = plan.report.ids
    assert len(site.log.read(stream_of_subject(subject_id))) == 1
    assert site.log.subjects is not None
    assert site.log.subjects.ring.store.read([subject_id]) == {}
    assert site.catalog().shares().items[0].user_id == f"erased-{subject_id[:16]}"
    site.close()
    content = [path.read_bytes() for path in killed.home.rglob("*") if path.is_file()]
    assert not any(b"alice" in part for part in content)


def check_kills(config_of: Callable[[str], Config], *, all_steps: bool) -> None:
    """Kill the request at its steps, each time with the configuration of a log of its own."""

    def prepared(name: str) -> Config:
        config = config_of(name)
        site = Site(config)
        write(site.log, "share-s1", HOME)
        site.close()
        return config

    def forget(config: Config) -> None:
        site = Site(config)
        site.forget("user:alice")
        site.close()

    counted = prepared("count")
    for number, step in enumerate(steps_of(lambda: forget(counted), all_steps=all_steps)):
        config = prepared(str(number))
        if kill_at(step, lambda config=config: forget(config)):  # type: ignore[misc]
            try:
                check_repeated(config)
            except BaseException as error:
                error.add_note(f"killed before {step}")
                raise


@pytest.fixture
def in_sqlite(sealed_config: SealedConfig, tmp_path: Path) -> Callable[[str], Config]:
    return lambda name: sealed_config().model_copy(update={"home": tmp_path / name})


@pytest.fixture
def in_postgres(
    sealed_config: SealedConfig, tmp_path: Path, postgres_settings: LogSettings
) -> Callable[[str], Config]:
    def config_of(name: str) -> Config:
        schema = f"{postgres_settings.schema_name}_{name}"
        log = postgres_settings.model_copy(update={"schema_name": schema})
        return sealed_config(log).model_copy(update={"home": tmp_path / name})

    return config_of


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_kill_at_every_step_is_completed_by_a_repeated_request(
    in_sqlite: Callable[[str], Config],
) -> None:
    check_kills(in_sqlite, all_steps=True)


def test_a_kill_at_some_steps_is_completed_in_postgresql(
    in_postgres: Callable[[str], Config],
) -> None:
    check_kills(in_postgres, all_steps=False)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_kill_at_every_step_is_completed_in_postgresql(
    in_postgres: Callable[[str], Config],
) -> None:
    check_kills(in_postgres, all_steps=True)


def check_repeated(config: Config) -> None:
    """Repeating the request completes it, and it is recorded once."""
    site = Site(config)
    (subject_id,) = site.forget("user:alice").report.ids
    assert len(site.log.read(stream_of_subject(subject_id))) == 1
    site.close()
    assert not any(b"alice" in p.read_bytes() for p in config.home.rglob("*") if p.is_file())


async def start(config: Config, condition: Callable[[Site], bool]) -> None:
    """Start the catalog's process, and stop it once *condition* holds."""
    actor, site = CatalogActor(config), Site(config)
    try:
        await actor.follow()
        assert await asyncio.to_thread(eventually, lambda: condition(site), 60)
    finally:
        await actor.stop()
        site.close()


def events(site: Site) -> list[Any]:
    """The events about subjects."""
    rows = site.log.notifications(0, 100)
    return [site.log.decode(row).event for row in rows if row.topic.startswith("subject.")]


def marks(site: Site) -> Any:
    assert site.log.subjects is not None
    return site.log.subjects.ring.store.closing()


@at(FORGOTTEN)
def test_the_next_start_finishes_it(killed: Config) -> None:
    asyncio.run(start(killed, lambda site: not marks(site) and len(events(site)) == 1))
    site = Site(killed)
    assert [type(event) for event in events(site)] == [SubjectForgotten]
    assert site.catalog().shares().items[0].user_id.startswith("erased-")
    site.close()
    assert not any(b"alice" in p.read_bytes() for p in killed.home.rglob("*") if p.is_file())


@at({step: place for step, place in KEPT.items() if step != "before the mark"})
def test_the_next_start_undoes_it_if_nothing_was_destroyed(killed: Config) -> None:
    asyncio.run(start(killed, lambda site: not marks(site)))
    site = Site(killed)
    assert [type(event) for event in events(site)] == [SubjectKept]
    assert site.catalog().shares().items[0].user_id == "alice"
    assert site.forget("user:alice").report.ids
    assert [type(event) for event in events(site)] == [SubjectKept, SubjectForgotten]
    site.close()
