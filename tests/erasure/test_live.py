"""Forgetting a subject of a running system: what its users see, and what refuses it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from share_actors.client import ShareSystem
from share_actors.config import Config
from share_actors.errors import Forbidden, Refused
from share_actors.testing import InMemoryLog, sync_system
from share_actors.values import RequestContext
from tests.erasure.conftest import SealedConfig

ALICE = RequestContext(user_id="alice", project_id="web", roles=("member",))
BOB = RequestContext(user_id="bob", project_id="web", roles=("member",))
OFFICER = RequestContext(user_id="officer", is_admin=True)


@pytest.fixture
def config(sealed_config: SealedConfig, tmp_path: Path) -> Config:
    backends = {"dummy": {"driver": "dummy", "options": {"directory": str(tmp_path / "dummy")}}}
    return Config(home=tmp_path / "home", backends=backends, erasure=sealed_config().erasure)


@pytest.fixture
def system(config: Config) -> Iterator[ShareSystem]:
    with sync_system(config, durable=True, context=OFFICER) as running:
        yield running


def test_a_share_of_a_forgotten_user_goes_on_working(system: ShareSystem) -> None:
    share = system.as_user(ALICE).create_share(size=1, name="thesis")
    assert system.share(share.id).seen.user_id == "alice"
    done = system.subjects.forget("user:alice")
    assert (done.is_done, done.streams) == (True, 1)
    assert system.share(share.id).seen.user_id.startswith("erased-")
    assert system.as_user(BOB).share(share.id).extend(2).seen.size == 2
    assert "alice" not in str(system.share(share.id).history())
    (listed,) = system.shares().items
    assert (listed.seen.name, listed.seen.project_id) == (system.share(share.id).seen.name, "web")


def test_no_event_after_the_erasure_names_the_user_again(system: ShareSystem) -> None:
    share = system.as_user(ALICE).create_share(size=1, name="thesis")
    system.subjects.forget("user:alice")
    system.as_user(BOB).share(share.id).extend(2)
    system.as_user(BOB).share(share.id).delete()
    assert [s.name for s in system.subjects.list() if s.kind == "user" and s.name] == [
        "bob",
        "officer",
    ]


def test_a_client_with_access_is_refused_until_its_rule_is_denied(system: ShareSystem) -> None:
    share = system.as_user(ALICE).create_share(size=1)
    rule = share.allow_access("10.0.0.7", type="ip")
    would = system.subjects.forget("client:10.0.0.7", dry_run=True)
    assert would.refused == (
        f"rule {rule.id} of share {share.id} (active) is for this client: deny it first",
    )
    with pytest.raises(Refused, match="its key was kept"):
        system.subjects.forget("client:10.0.0.7")
    share.deny_access(rule)
    assert system.subjects.forget("client:10.0.0.7").is_done
    assert share.extend(2).seen.access_rules == ()


def test_a_dry_run_counts_and_changes_nothing(system: ShareSystem) -> None:
    system.as_user(ALICE).create_share(size=1)
    first = system.subjects.forget("user:alice", dry_run=True)
    assert (first.is_done, first.refused, first.streams) == (False, (), 1)
    assert system.subjects.forget("user:alice", dry_run=True) == first


def test_only_the_systems_administrator_may_ask(system: ShareSystem) -> None:
    with pytest.raises(Forbidden):
        system.as_user(ALICE).subjects.forget("user:bob")


def test_the_same_holds_for_a_log_in_memory(config: Config) -> None:
    log = InMemoryLog()
    with sync_system(config, log=log, context=OFFICER) as running:
        share = running.as_user(ALICE).create_share(size=1)
        running.subjects.forget("user:alice")
        assert running.share(share.id).seen.user_id.startswith("erased-")
    assert not any(b"alice" in row.state for row in log.notifications(0, 100))
    log.close()


def test_a_system_starts_again_after_an_erasure(config: Config) -> None:
    with sync_system(config, durable=True, context=OFFICER) as running:
        share = running.as_user(ALICE).create_share(size=1)
        share.allow_access("10.0.0.8", type="ip")
        running.subjects.forget("user:alice")
    with sync_system(config, durable=True, context=OFFICER) as running:
        again = running.share(share.id)
        assert again.seen.user_id.startswith("erased-")
        assert [rule.access_to for rule in again.seen.access_rules] == ["10.0.0.8"]
        assert again.extend(2).seen.size == 2


def test_a_system_without_sealing_refuses(tmp_path: Path) -> None:
    config = Config(home=tmp_path / "home", backends={"dummy": {"driver": "dummy"}})
    with (
        sync_system(config, durable=True, context=OFFICER) as running,
        pytest.raises(Refused, match="erasure is off"),
    ):
        running.subjects.list()
