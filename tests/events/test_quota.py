"""The quota of a project: limits are set and removed, one scope at a time."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from share_actors.audit.replay.commands import command_of
from share_actors.events import quota
from share_actors.events.quota import (
    DEFAULT,
    QuotaChanged,
    SetQuota,
    UnsetQuota,
    address_of,
    quota_id,
    sentence,
)
from share_actors.testing import Spec
from tests.events.share_events import NOON

WEB = quota_id("web")


def setting(limits: Any, **scope: Any) -> SetQuota:
    return SetQuota(quota_id=WEB, project_id="web", limits=limits, at=NOON, **scope)


def changed(limits: dict[str, int], **scope: Any) -> QuotaChanged:
    of = {"user_id": None, "share_type": None, **scope}
    return QuotaChanged(quota_id=WEB, project_id="web", limits=limits, at=NOON, **of)


web = Spec(quota).given(changed({"shares": 5, "gigabytes": 100}))


def test_limits_are_set_one_by_one_and_the_same_limits_again_change_nothing() -> None:
    Spec(quota).when(setting({"shares": 5})).then(changed({"shares": 5}))
    web.when(setting({"shares": 5})).then()
    web.when(setting({"shares": -1})).then(changed({"shares": -1, "gigabytes": 100}))


def test_users_and_share_types_have_limits_of_their_own() -> None:
    web.when(setting({"shares": 1}, user_id="al")).then(changed({"shares": 1}, user_id="al"))
    web.when(setting({"shares": 1}, share_type="gold")).then(
        changed({"shares": 1}, share_type="gold")
    )


def test_limits_are_removed_by_name_or_all_together() -> None:
    web.when(UnsetQuota(names=("shares",), at=NOON)).then(changed({"gigabytes": 100}))
    web.when(UnsetQuota(at=NOON)).then(changed({}))
    web.when(UnsetQuota(names=("snapshots",))).then_rejected("no snapshots is set")
    web.when(UnsetQuota(user_id="al")).then_rejected("no such limit is set")


def test_a_quota_without_limits_is_deleted_and_can_be_set_again() -> None:
    unset = web.given(changed({"shares": 5, "gigabytes": 100}), changed({}))
    state = quota.evolve(quota.evolve(quota.initial, changed({"shares": 5})), changed({}))

    assert state.status == "deleted"
    unset.when(setting({"shares": 2})).then(changed({"shares": 2}))


def test_a_quota_is_of_one_project_only() -> None:
    web.when(setting({"shares": 1}).replace(project_id="ops")).then_rejected("another project")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"limits": {}}, "is empty"),
        ({"limits": {"shares": -2}}, "greater than or equal to -1"),
        ({"limits": {"shares": True}}, "valid integer"),
        ({"limits": {"shares": 1.5}}, "valid integer"),
        ({"limits": {"shares": 2**31}}, "less than or equal to"),
        ({"limits": {"files": 1}}, "'shares'"),
        ({"user_id": "al", "share_type": "gold"}, "not for both"),
        ({"share_type": "gold", "limits": {"share_networks": 1}}, "no share type"),
        ({"share_type": "a/b"}, "match pattern"),
        ({"quota_id": DEFAULT}, "projects as a whole"),
        ({"quota_id": DEFAULT, "project_id": "", "user_id": "al"}, "projects as a whole"),
        ({"project_id": "a\nb"}, "project_id"),
    ],
)
def test_a_request_that_limits_nothing_sensible_is_invalid(
    fields: dict[str, Any], problem: str
) -> None:
    valid = {"quota_id": WEB, "project_id": "web", "limits": {"shares": 1}}
    with pytest.raises(ValidationError, match=problem):
        SetQuota(**{**valid, **fields})


def test_any_project_has_an_address_of_its_own() -> None:
    projects = ["web", "Web", "", "a:b", "a/b", "ü", "\ud800", "x" * 255, None]

    assert len({address_of(project) for project in projects}) == len(projects)
    assert address_of(None) == "quota:default"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            changed({"shares": 5, "gigabytes": -1}),
            "project web to shares = 5, gigabytes = unlimited",
        ),
        (changed({"shares": 5}, user_id="al"), "user al in project web to shares = 5"),
        (changed({"shares": 5}, share_type="gold"), "share type gold in project web"),
        (changed({}), "removed the limits of project web"),
        (changed({}).replace(quota_id=DEFAULT, project_id=""), "all projects without limits"),
    ],
)
def test_a_change_is_told_in_a_sentence(event: QuotaChanged, text: str) -> None:
    assert text in sentence(event, "bob")


@pytest.mark.parametrize(
    "command", [setting({"shares": 9}), UnsetQuota(names=("shares",), at=NOON)]
)
def test_the_command_of_a_change_is_told_from_the_change(command: Any) -> None:
    state = quota.evolve(quota.initial, changed({"shares": 5, "gigabytes": 100}))
    events = quota.decide(command, state)

    told = command_of([*events], state)

    assert told is not None
    assert quota.decide(told, state) == events  # type: ignore[arg-type]
