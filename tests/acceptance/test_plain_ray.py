"""The manager's verbs, as any Ray program calls them: another OS process, plain values, Manila's names."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest
import ray

from tests.acceptance import plain_ray
from tests.acceptance.conftest import NewSite
from tests.acceptance.systems import MAX_WAIT_S, Site, eventually

Step = tuple[str, list[Any], dict[str, Any]]
ANN = {"user_id": "ann", "project_id": "physics"}


@pytest.fixture(scope="module")
def site(new_sites: NewSite) -> Site:
    site = new_sites()
    eventually(lambda: site.system.capabilities().keys() == {"dummy"})
    return site


@pytest.fixture
def share_id(site: Site) -> str:
    return str(uuid4())


def of(share_id: str, what: str) -> str:
    """The id of something that belongs to a share."""
    return str(uuid5(UUID(share_id), what))


def run(site: Site, *steps: Step) -> list[dict[str, Any]]:
    """The result of each of *steps*, which run in one separate program."""
    address = ray.get_runtime_context().gcs_address
    program = [sys.executable, str(Path(plain_ray.__file__))]
    command = [*program, address, site.config.namespace, json.dumps(steps)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=MAX_WAIT_S, check=False)
    assert ended.returncode == 0, ended.stderr
    results: list[dict[str, Any]] = json.loads(ended.stdout)
    return results


def test_a_share_is_created_changed_and_deleted_by_manilas_verbs(site: Site, share_id: str) -> None:
    spec = {"share_properties": {"size": 1, "display_name": "plain", "share_proto": "NFS"}}
    wait = {"wait": True}
    rule = {"share_id": share_id, "access_type": "user", "access_to": "bob", "wait": True}

    results = run(
        site,
        ("create_share", [ANN, share_id, spec], wait),
        ("extend_share", [ANN, share_id, 3], wait),
        ("shrink_share", [ANN, share_id, 2], wait),
        ("allow_access", [ANN, of(share_id, "rule")], rule),
        ("create_snapshot", [ANN, share_id, of(share_id, "snap")], wait),
        (
            "create_share",
            [ANN, of(share_id, "twin"), {"size": 2}, None, of(share_id, "snap")],
            wait,
        ),
        ("deny_access", [ANN, of(share_id, "rule")], wait),
        ("delete_snapshot", [ANN, of(share_id, "snap")], wait),
        ("delete_share", [ANN, share_id], wait),
    )

    assert [item["result"]["status"] for item in results] == ["done"] * len(results)
    assert site.replayed()[share_id].status == "deleted"
    assert site.system.share(of(share_id, "twin")).status == "available"
    requests = [r.envelope for r in site.system.share(share_id).history() if r.envelope.command_id]
    assert {(e.user_id, e.project_id) for e in requests} == {("ann", "physics")}


def test_an_error_names_the_field_and_the_value_and_nothing_is_recorded(
    site: Site, share_id: str
) -> None:
    site.system.create_share(size=1, share_id=share_id)
    head = site.head()

    results = run(
        site,
        ("create_share", [ANN, of(share_id, "b"), {"size": 0}], {}),
        ("create_share", [ANN, of(share_id, "b"), {"size": 1, "backend": "none"}], {}),
        ("create_share", [ANN, share_id, {"size": 1}], {}),
        ("create_share", [{"user_id": 5}, of(share_id, "b"), {"size": 1}], {}),
        ("extend_share", [ANN, share_id, "2"], {}),
        ("deny_access", [ANN, "no-such-rule"], {}),
        ("delete_share", [ANN, "no-such-share"], {}),
    )

    assert [(item["error"], item["field"], item["value"]) for item in results] == [
        ("InvalidRequest", "size", 0),
        ("ConfigError", "backend", "none"),
        ("Refused", "id", share_id),
        ("InvalidRequest", "user_id", 5),
        ("InvalidRequest", "size", "2"),
        ("NotFound", "id", "no-such-rule"),
        ("NotFound", "id", "no-such-share"),
    ]
    assert site.head() == head


def test_a_command_that_is_sent_again_is_executed_once(site: Site, share_id: str) -> None:
    step = ("create_share", [ANN, share_id, {"size": 1}], {"command_id": share_id, "wait": True})

    first, second = run(site, step, step)
    [third] = run(site, step)

    assert first == second == third
    assert len(site.backend.calls("create_share", share_id)) == 1


def test_a_request_without_waiting_is_executed_after_its_program_has_ended(
    site: Site, share_id: str
) -> None:
    [result] = run(site, ("create_share", [ANN, share_id, {"size": 1}], {"command_id": share_id}))

    assert result["result"]["status"] in ("accepted", "done")
    assert site.settled()[share_id].status == "available"
