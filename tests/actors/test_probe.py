"""Probing: after an unknown outcome, an effect that the backend shows as done is not performed again."""

from typing import Any

import pytest

from share_actors.actors.effects import driver_setup
from share_actors.actors.effects.probe import probe_outcome
from share_actors.drivers.base import DriverError, ProbeResult, TransientError
from share_actors.events.attempts import Attempt, ReportFailure
from share_actors.events.share.access import ApplyRules, ConfirmRules
from share_actors.events.share.messages import (
    ConfirmCreated,
    ConfirmResized,
    Destroy,
    Provision,
    Resize,
    ShareEffect,
)
from share_actors.events.share.rules import Rules
from share_actors.events.share.snapshot.messages import (
    ConfirmSnapshotCreated,
    DropSnapshot,
    TakeSnapshot,
)
from share_actors.values import AccessRule, RequestContext, Share
from tests.actors.scripted_driver import PLACE, STATE, Scripted, outcome

CREATE = Provision(source=None)
GROW = Resize(doing="extend", size=3)
ALICE = AccessRule(id="a", access_type="user", access_to="alice", access_level="ro")
RULED = STATE.replace(rules=Rules(rules={"a": ALICE}, owed=("a",)))
ALLOW = ApplyRules(add=(ALICE,), delete=())
DENY = ApplyRules(add=(), delete=(ALICE,))
WHOLE = ProbeResult(state="whole", export_locations=(PLACE,), size=1)
IN_DOUBT = STATE.replace(attempt=Attempt(n=2, effect="create", probe=True))


class Probed(Scripted):
    """A scripted driver that can be probed."""

    def probe_share(self, context: RequestContext, share: Share, share_server: Any = None) -> Any:
        return self._play("probe_share", share)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    results: dict[str, Any] = {}
    monkeypatch.setattr(driver_setup, "make_driver", lambda *args, **_: Probed(results))
    return results


@pytest.mark.parametrize(
    ("effect", "probe", "expected"),
    [
        (CREATE, WHOLE, ConfirmCreated(export_locations=(PLACE,))),
        (GROW, WHOLE.replace(size=3), ConfirmResized(doing="extend", size=3)),
        (ALLOW, WHOLE.replace(access={("user", "alice", "ro")}), ConfirmRules(applied=("a",))),
        (
            TakeSnapshot(snapshot_id="n1"),
            WHOLE.replace(snapshots={"n1": "at"}),
            ConfirmSnapshotCreated(snapshot_id="n1", provider_location="at"),
        ),
    ],
)
def test_an_effect_that_the_probe_shows_as_done_has_its_outcome(
    effect: ShareEffect, probe: ProbeResult, expected: object
) -> None:
    assert probe_outcome(effect, RULED, probe) == expected


@pytest.mark.parametrize(
    ("effect", "probe"),
    [
        (CREATE, ProbeResult(state="absent")),
        (CREATE, ProbeResult(state="partial")),
        (CREATE, WHOLE.replace(size=7)),
        (GROW, WHOLE),
        (GROW, WHOLE.replace(size=None)),
        (Destroy(), ProbeResult(state="absent")),
        (DENY, WHOLE.replace(access=frozenset())),
        (ALLOW, WHOLE),
        (ALLOW, WHOLE.replace(access=frozenset())),
        (ALLOW, WHOLE.replace(access={("user", "alice", "rw")})),
        (TakeSnapshot(snapshot_id="n1"), WHOLE),
        (TakeSnapshot(snapshot_id="n1"), WHOLE.replace(snapshots={}, unfinished=frozenset({"n1"}))),
        (DropSnapshot(snapshot_id="n1"), WHOLE.replace(snapshots={})),
    ],
)
def test_a_deletion_or_an_effect_that_the_probe_does_not_show_as_done_has_no_outcome(
    effect: ShareEffect, probe: ProbeResult
) -> None:
    assert probe_outcome(effect, RULED, probe) is None


def test_after_an_unknown_outcome_a_share_that_the_probe_finds_is_not_created_again(
    script: dict[str, Any],
) -> None:
    script["probe_share"] = WHOLE

    command, calls = outcome(CREATE, IN_DOUBT)

    assert command == ConfirmCreated(export_locations=(PLACE,))
    assert [method for method, _ in calls] == ["probe_share"]


@pytest.mark.parametrize(
    "probe",
    [None, ProbeResult(state="absent"), ProbeResult(state="partial"), DriverError("no idea")],
)
def test_a_share_that_the_probe_does_not_show_is_created(
    script: dict[str, Any], probe: object
) -> None:
    script |= {"probe_share": probe, "create_share": [PLACE]}

    command, calls = outcome(CREATE, IN_DOUBT)

    assert command == ConfirmCreated(export_locations=(PLACE,))
    assert [method for method, _ in calls] == ["probe_share", "create_share"]


def test_a_broken_share_is_deleted_and_created_again(script: dict[str, Any]) -> None:
    script |= {"probe_share": ProbeResult(state="broken"), "create_share": [PLACE]}

    command, calls = outcome(CREATE, IN_DOUBT)

    assert command == ConfirmCreated(export_locations=(PLACE,))
    assert [method for method, _ in calls] == ["probe_share", "delete_share", "create_share"]


def test_a_transient_failure_of_the_probe_is_retried_later(script: dict[str, Any]) -> None:
    script["probe_share"] = TransientError("rebooting")

    command, calls = outcome(CREATE, IN_DOUBT)

    assert isinstance(command, ReportFailure)
    assert (command.kind, command.reason) == ("transient", "rebooting")
    assert len(calls) == 1


def test_after_a_known_outcome_the_backend_is_not_probed(script: dict[str, Any]) -> None:
    script["create_share"] = [PLACE]

    _, calls = outcome(CREATE, STATE.replace(attempt=Attempt(n=2, effect="create")))

    assert [method for method, _ in calls] == ["create_share"]
