"""A backend with a daemon on Ray: started by the system, started again when it fails, stopped and started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import ray

from share_actors import sentence
from share_actors.actors.runtime.names import STATS
from share_actors.errors import Refused
from tests.acceptance.conftest import NewSite
from tests.acceptance.systems import Site, eventually, kill


@pytest.fixture
def site(new_site: NewSite, tmp_path: Path) -> Site:
    """A system with the backend `nas`, whose state is in *tmp_path*, and which reports often."""
    options = {"directory": str(tmp_path / "nas"), "daemon": True}
    nas = {"driver": "dummy", "options": options, "backoff_s": 0.1, "max_backoff_s": 0.5}
    return new_site(backends={"nas": nas}, scheduler={"stats_period_s": 0.3})


def test_a_daemon_is_started_by_the_system_and_again_when_it_is_killed(
    site: Site, tmp_path: Path
) -> None:
    share = site.system.create_share(size=1)
    assert share.status == "available"
    started = tmp_path / "nas" / "started"

    started.write_text("the daemon leaks memory\n")
    problems = eventually(lambda: _told(site, "the daemon leaks memory"))
    assert problems[-1] == "it is unhealthy: the daemon leaks memory"
    eventually(lambda: _told(site, "it is healthy again"))
    started.unlink()
    eventually(lambda: _told(site, "it is unhealthy: the daemon does not run"))
    eventually(started.exists)

    eventually(lambda: site.system.backends.get("nas").problems == ())
    assert share.extend(2).size == 2


def _told(site: Site, text: str) -> list[str] | None:
    """The sentences of the history up to the first that has *text* in it, once there is one."""
    told = [sentence(event) for event in site.system.backends.history("nas")]
    found = [n for n, line in enumerate(told) if text in line]
    return told[: found[0] + 1] if found else None


def test_a_stopped_backend_stays_so_through_the_death_of_its_stats_actor_until_the_next_start(
    site: Site, tmp_path: Path
) -> None:
    started = tmp_path / "nas" / "started"
    site.system.create_share(size=1)

    report = site.system.backends.stop("nas")
    assert report.reason is not None
    assert "share-actors backend start nas" in report.reason
    assert not started.exists()
    kill(_stats_pid(site))
    eventually(lambda: site.system.backends.publish("nas")["nas"].reason == report.reason)
    assert not started.exists()

    site.stop()
    site.system.backends.publish("nas")
    eventually(started.exists)
    assert site.system.backends.start("nas").reason is None
    site.system.backends.stop("nas")
    assert site.system.backends.start("nas").reason is None
    site.stop()
    assert started.exists(), "the end of the system interrupts no client"


def _stats_pid(site: Site) -> int:
    actor: Any = ray.get_actor(f"{STATS}nas", site.config.namespace)
    pids: list[int] = ray.get([actor.follow.remote()])
    return pids[0]


def test_a_backend_without_daemons_is_not_stopped(new_site: NewSite) -> None:
    site = new_site()

    with pytest.raises(Refused, match="its driver runs no daemons"):
        site.system.backends.stop("dummy")
    share = site.system.create_share(size=1)
    assert (share.usage().used, share.usage().size) == (0, 2**30)
    assert site.system.backends.usage("dummy") == {share.id: share.usage()}
