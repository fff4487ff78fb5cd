"""A process that is killed while it forgets a subject: the repeated request completes it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from share_actors.config import Config
from share_actors.events.erasing import envelope_of
from share_actors.events.subject import stream_of_subject
from share_actors.values import RequestContext
from tests.audit.conftest import HOME, write
from tests.erasure.conftest import SealedConfig, Site

STEPS = {
    "before the marker": ("_ring.store", "mark_forgotten", False),
    "after the marker": ("_ring.store", "mark_forgotten", True),
    "after the key was destroyed": ("_ring.store", "destroy", True),
    "before the catalog is written anew": ("_catalog", "rebuild", False),
    "before its file is written anew": ("_catalog", "compact", False),
    "before the event": ("_log", "append", False),
    "after the event": ("_log", "append", True),
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


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_repeated_request_completes_it(
    sealed_config: SealedConfig, step: tuple[str, str, bool]
) -> None:
    config = sealed_config()
    site = Site(config)
    write(site.log, "share-s1", HOME)
    site.catalog().shares()
    site.close()
    if (child := os.fork()) == 0:
        forget_and_die(config, *step)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL

    site = Site(config)
    plan = site.forget("user:alice")
    (subject_id,) = plan.report.ids
    assert len(site.log.read(stream_of_subject(subject_id))) == 1
    assert site.log.subjects is not None
    assert site.log.subjects.ring.store.read([subject_id]) == {}
    assert site.catalog().shares().items[0].user_id == f"erased-{subject_id[:16]}"
    site.close()
    content = [path.read_bytes() for path in config.home.rglob("*") if path.is_file()]
    assert not any(b"alice" in part for part in content)
