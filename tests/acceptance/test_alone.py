"""Two systems on one namespace, one log or one directory: the second is refused, with who is there."""

from __future__ import annotations

from pathlib import Path

import pytest
import ray

from share_actors import client
from share_actors.actors.runtime import lifecycle
from share_actors.config import LogSettings
from share_actors.errors import Forbidden, LogError, Refused
from share_actors.values import RequestContext
from tests.acceptance.conftest import NewSite
from tests.acceptance.systems import Site, eventually, kill

pytestmark = pytest.mark.timeout(300)


# -- namespaces ------------------------------------------------------------------------------------
def test_a_start_with_other_settings_in_a_taken_namespace_is_refused(new_site: NewSite) -> None:
    site = new_site()
    before = site.system.config
    other = site.config.model_copy(update={"home": site.home / "other"})

    with pytest.raises(Refused, match=f"taken by the system of home {site.home}") as error:
        client.start(other)

    assert (error.value.field, error.value.value) == ("namespace", site.config.namespace)
    changed = f"other settings: home is {before.home}, not {site.home / 'other'};"
    assert changed in error.value.message
    assert not (site.home / "other").exists()
    assert site.system.create_share(size=1).status == "available"
    assert site.system.config == before


def test_a_second_start_with_the_same_settings_is_refused_and_says_to_connect(
    new_site: NewSite,
) -> None:
    site = new_site()
    actors = site.actors() if site.system.config else []

    with pytest.raises(Refused, match=f"taken by the system of home {site.home}") as error:
        client.start(site.config)

    assert "Connect to the running system" in error.value.details["next_step"]
    assert site.actors() == actors
    assert site.system.create_share(size=1).status == "available"


def test_a_system_is_stopped_by_a_program_that_did_not_start_it(new_site: NewSite) -> None:
    site = new_site()
    share = site.system.create_share(size=1)
    address, namespace = lifecycle.joined_address(), site.config.namespace
    member = RequestContext(user_id="alice", project_id="demo", roles=("member",))

    with client.connect(address or "", namespace=namespace) as other:
        with pytest.raises(Forbidden, match="stop: not permitted"):
            other.as_user(member).stop()
        assert other.stop() == []

    assert site.actors() == []
    site.stop()
    assert site.system.share(share.id).status == "available"


def test_a_given_address_is_never_answered_by_the_cluster_that_was_joined(
    new_site: NewSite,
) -> None:
    site = new_site()
    assert site.system.config

    with pytest.raises(Refused, match="has joined the one at") as error:
        client.connect("127.0.0.9:6379", namespace=site.config.namespace)
    assert error.value.field == "address"


# -- the end ---------------------------------------------------------------------------------------
def test_close_does_not_wait_for_a_long_driver_call_and_says_that_it_was_cut_off(
    new_site: NewSite,
) -> None:
    slow = {"driver": "dummy", "options": {"delay_s": 30}}
    site = new_site(backends={"slow": slow})
    share = site.system.create_share(size=1, wait=False)
    assert share.receipt is not None
    command_id = share.receipt.command_id
    eventually(lambda: site.system.receipt(command_id, share.id).attempt)

    cut_off = site.system.close()

    assert [(call["id"], call["work"]) for call in cut_off] == [(share.id, "create")]
    assert site.actors() == []


# -- logs ------------------------------------------------------------------------------------------
@pytest.fixture(params=["sqlite", "postgres"])
def two_sites(request: pytest.FixtureRequest, new_site: NewSite) -> tuple[Site, Site]:
    """Two sites with one log: each has a namespace, a home and backends of its own."""
    first = new_site(log=log_of(request))
    log = first.config.log
    if log.kind == "sqlite":
        log = log.model_copy(update={"path": first.config.log_path})
    catalog = first.home / "second.db"
    return first, new_site(log=log, catalog_path=catalog)


def log_of(request: pytest.FixtureRequest) -> LogSettings:
    if request.param == "sqlite":
        return LogSettings()
    server: LogSettings = request.getfixturevalue("postgres_server")
    return server.model_copy(update={"schema_name": f"alone_{abs(hash(request.node.name))}"})


def test_a_second_system_on_one_log_is_refused_with_who_holds_it(
    two_sites: tuple[Site, Site],
) -> None:
    first, second = two_sites
    share = first.system.create_share(size=1)
    before = first.head()

    with pytest.raises(
        LogError, match=f"in use by the system in .* of home {first.home} "
    ) as error:
        client.start(second.config)

    assert error.value.field in ("log.path", "log.host")
    assert error.value.details["holder"]["namespace"] == first.config.namespace
    assert second.actors() == []
    assert first.head() == before
    assert first.system.share(share.id).extend(2).size == 2


def test_actors_that_are_killed_come_back_to_the_log_of_their_system(
    two_sites: tuple[Site, Site],
) -> None:
    first, second = two_sites
    share = first.system.create_share(size=1)
    pids = [first.catalog_pid(), first.manager_pid()]
    hosts = first.share_actor_pids()

    for killed in (pids, hosts):  # one of them always holds the lock
        for pid in killed:
            kill(pid)
        with pytest.raises(LogError, match="is in use by the system"):
            client.start(second.config)
        eventually(lambda: first.catalog_pid() not in pids)

    assert eventually(lambda: first.system.share(share.id)).extend(2).size == 2
    assert {*pids, *hosts}.isdisjoint([first.catalog_pid(), *first.share_actor_pids()])


def test_a_system_that_died_is_replaced_by_the_next_one(two_sites: tuple[Site, Site]) -> None:
    first, second = two_sites
    share = first.system.create_share(size=1)

    for name in first.actors():
        ray.kill(ray.get_actor(name, first.config.namespace), no_restart=True)

    assert second.system.share(share.id).status == "available"


def test_a_system_that_was_stopped_is_replaced_by_the_next_one(
    two_sites: tuple[Site, Site],
) -> None:
    first, second = two_sites
    share = first.system.create_share(size=1)

    first.stop()

    assert second.system.share(share.id).status == "available"
    second.stop()
    assert first.system.share(share.id).status == "available"


# -- directories -----------------------------------------------------------------------------------
@pytest.mark.parametrize(("driver", "option"), [("local", "root"), ("dummy", "directory")])
def test_a_second_system_on_one_directory_is_refused_with_who_holds_it(
    new_site: NewSite, tmp_path: Path, driver: str, option: str
) -> None:
    backends = {"b": {"driver": driver, "options": {option: str(tmp_path)}}}
    first, second = new_site(backends=backends), new_site(backends=backends)
    share = first.system.create_share(size=1)

    with pytest.raises(Refused, match=f"in use by the system in .* of home {first.home} ") as error:
        client.start(second.config)

    assert error.value.field == f"backends.b.options.{option}"
    assert second.actors() == []
    first.stop()
    assert second.system.create_share(size=1).id != share.id
