"""A share's effects on a driver, and every way in which a driver can answer."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from share_actors.actors.effects import backends as backends_module
from share_actors.actors.effects.backends import BackendDrivers
from share_actors.actors.effects.share import ShareWork
from share_actors.config import BackendSettings
from share_actors.drivers.base import (
    DriverError,
    NotSupported,
    RefusedByBackend,
    ShareDriver,
    TransientError,
)
from share_actors.errors import ConfigError, InvalidRequest, Refused, Unavailable
from share_actors.events.attempts import ReportFailure
from share_actors.events.decider import Command
from share_actors.events.share import ShareState
from share_actors.events.share.access import AllowAccess, ApplyRules, ConfirmRules
from share_actors.events.share.messages import (
    ConfirmCreated,
    ConfirmDeleted,
    ConfirmResized,
    CreateShare,
    Destroy,
    ExtendShare,
    Provision,
    Resize,
    ShareEffect,
    ShrinkShare,
)
from share_actors.events.share.rules import Rules
from share_actors.events.share.snapshot_messages import (
    ConfirmSnapshotCreated,
    ConfirmSnapshotDeleted,
    CreateSnapshot,
    DropSnapshot,
    TakeSnapshot,
)
from share_actors.events.share.snapshots import Snapshots
from share_actors.values import AccessRule, ExportLocation, RequestContext, Share, Snapshot
from tests.conftest import within

SNAPSHOT = Snapshot(id="n1", share_id="s1", size=2, status="available")
STATE = ShareState(
    share=Share(id="s1", size=1, host="main"), snapshots=Snapshots(held={"n1": SNAPSHOT})
)
CREATE = CreateShare(share_id="s1", size=1, host="main", project_id="p", user_id="u")
PLACE = ExportLocation(path="here:/s1")


class Scripted(ShareDriver):
    """Answers `script[method]`: raises it if it is an exception, calls it if it can be called."""

    protocols = ("NFS", "CIFS")
    access_types = ("user", "ip")
    access_levels = ("rw",)

    def __init__(self, script: dict[str, Any]) -> None:
        super().__init__()
        self.script, self.calls = script, list[tuple[str, tuple[Any, ...]]]()

    def _play(self, method: str, *args: Any) -> Any:
        self.calls.append((method, args))
        answer = self.script.get(method)
        if isinstance(answer, BaseException):
            raise answer
        return answer(*args) if callable(answer) else answer

    def do_setup(self, context: RequestContext) -> None:
        self._play("do_setup")

    def check_for_setup_error(self) -> None:
        self._play("check_for_setup_error")

    def create_share(self, context: RequestContext, share: Share, share_server: Any = None) -> Any:
        return self._play("create_share", share)

    def create_share_from_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> Any:
        return self._play("create_share_from_snapshot", share, snapshot)

    def delete_share(self, context: RequestContext, share: Share, share_server: Any = None) -> None:
        self._play("delete_share", share)

    def extend_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        self._play("extend_share", share, new_size)

    def create_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> Any:
        return self._play("create_snapshot", snapshot)

    def delete_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> None:
        self._play("delete_snapshot", snapshot)

    def update_access(
        self,
        context: RequestContext,
        share: Share,
        access_rules: Sequence[AccessRule],
        add_rules: Sequence[AccessRule],
        delete_rules: Sequence[AccessRule],
        update_rules: Sequence[AccessRule] = (),
        share_server: Any = None,
    ) -> Any:
        names = [tuple(r.id for r in rules) for rules in (access_rules, add_rules, delete_rules)]
        return self._play("update_access", *names)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the driver of the backend `main` answers, by method."""
    answers: dict[str, Any] = {}
    monkeypatch.setattr(backends_module, "make_driver", lambda *args, **_: Scripted(answers))
    return answers


def outcome(
    effect: ShareEffect, state: ShareState = STATE, *, attempt: int = 1, **settings: Any
) -> tuple[Command, list[tuple[str, tuple[Any, ...]]]]:
    """What comes of *effect*, and what the driver was asked for it."""

    async def scenario() -> tuple[Command, list[tuple[str, tuple[Any, ...]]]]:
        backends = BackendDrivers({"main": BackendSettings(driver="scripted", **settings)})
        told: asyncio.Future[Command] = asyncio.get_running_loop().create_future()
        ShareWork(backends).start(effect, state, RequestContext(attempt=attempt), told.set_result)
        answer = await told
        made = backends._ready.get("main")
        calls = made.driver.calls if made and isinstance(made.driver, Scripted) else []
        backends.close()
        return answer, [call for call in calls if "setup" not in call[0]]

    return within(10, scenario())


@pytest.mark.parametrize(
    ("effect", "method", "answer", "expected"),
    [
        (Provision(source=None), "create_share", [PLACE], ConfirmCreated(export_locations=(PLACE,))),
        (
            Provision(source=SNAPSHOT), "create_share_from_snapshot", [PLACE],
            ConfirmCreated(export_locations=(PLACE,)),
        ),
        (Resize(doing="extend", size=5), "extend_share", None, ConfirmResized(doing="extend", size=5)),
        (Destroy(), "delete_share", None, ConfirmDeleted()),
        (
            TakeSnapshot(snapshot_id="n1"), "create_snapshot", "at/n1",
            ConfirmSnapshotCreated(snapshot_id="n1", provider_location="at/n1"),
        ),
        (
            DropSnapshot(snapshot_id="n1"), "delete_snapshot", None,
            ConfirmSnapshotDeleted(snapshot_id="n1"),
        ),
    ],
)  # fmt: skip
def test_an_effect_is_one_call_and_its_answer_the_outcome(
    script: dict[str, Any], effect: ShareEffect, method: str, answer: Any, expected: Command
) -> None:
    script[method] = answer

    told, calls = outcome(effect)

    assert told == expected
    assert [called for called, _ in calls] == [method]


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (DriverError("no space left"), "failed", "no space left"),
        (DriverError(), "failed", "DriverError"),
        (RefusedByBackend("in use"), "refused", "in use"),
        (NotSupported("no such method"), "failed", "not supported: no such method"),
        (TransientError("not now"), "transient", "not now"),
        (DriverError("no file b\udcffd"), "failed", "no file b\\udcffd"),
    ],
)
def test_what_a_driver_raises_becomes_a_failure_of_its_kind(
    script: dict[str, Any], error: Exception, kind: str, reason: str
) -> None:
    script["create_share"] = error

    told, _ = outcome(Provision(source=None))

    assert isinstance(told, ReportFailure)
    assert (told.kind, told.reason) == (kind, reason)


@pytest.mark.parametrize(
    "answer",
    [
        RuntimeError("a bug"),
        OSError("b\udcffd"),
        TimeoutError("its own"),
        SystemExit(3),
        None,
        7,
        "x",
    ],
)
def test_anything_else_is_a_bug_of_the_driver_and_told_with_its_traceback(
    script: dict[str, Any], answer: object
) -> None:
    script["create_share"] = answer

    told, _ = outcome(Provision(source=None), max_attempts=7)

    assert isinstance(told, ReportFailure)
    assert (told.kind, told.max_attempts) == ("bug", 7)
    assert told.reason.startswith("Traceback")
    assert told.reason.encode()


def test_a_call_without_an_answer_in_time_has_an_unknown_outcome(script: dict[str, Any]) -> None:
    gate = threading.Event()
    script["create_share"] = lambda share: gate.wait()

    told, _ = outcome(Provision(source=None), timeout_s=0.1)

    gate.set()
    assert isinstance(told, ReportFailure)
    assert (told.kind, told.reason) == ("unknown", "no answer within 0.1 s")


@pytest.mark.parametrize(("attempt", "pause"), [(1, 1.0), (2, 2.0), (4, 8.0), (9, 10.0)])
def test_pauses_double_up_to_their_limit(
    script: dict[str, Any], attempt: int, pause: float
) -> None:
    script["create_share"] = TransientError("not now")
    before = datetime.now(UTC)

    told, _ = outcome(Provision(source=None), attempt=attempt, backoff_s=1.0, max_backoff_s=10.0)

    assert isinstance(told, ReportFailure)
    assert pause <= (told.retry_at - before).total_seconds() < pause + 5


# -- rules -----------------------------------------------------------------------------------------
def rule(i: str, state: Any = "queued") -> AccessRule:
    return AccessRule(id=i, access_type="user", access_to=i, state=state)


APPLY = ApplyRules(add=(rule("new1"), rule("new2")), delete=(rule("old", "denying"),))
RULES = Rules().with_rules(rule("kept", "active"), *APPLY.add, *APPLY.delete)
WITH_RULES = STATE.replace(rules=RULES)


def test_rules_are_brought_in_together(script: dict[str, Any]) -> None:
    told, calls = outcome(APPLY, WITH_RULES)

    assert told == ConfirmRules(applied=("new1", "new2"), removed=("old",))
    assert calls == [("update_access", (("kept", "new1", "new2"), ("new1", "new2"), ("old",)))]


def test_a_rule_that_the_driver_names_fails_alone(script: dict[str, Any]) -> None:
    script["update_access"] = {"new1": "no such user"}

    told, _ = outcome(APPLY, WITH_RULES)

    assert told == ConfirmRules(
        applied=("new2",), removed=("old",), failed={"new1": "no such user"}
    )


def test_when_all_are_refused_together_the_guilty_one_is_found(script: dict[str, Any]) -> None:
    def objects(desired: tuple[str, ...], add: tuple[str, ...], delete: tuple[str, ...]) -> None:
        if "new1" in desired:
            raise DriverError("no such user")

    script["update_access"] = objects

    told, calls = outcome(APPLY, WITH_RULES)

    assert told == ConfirmRules(
        applied=("new2",), removed=("old",), failed={"new1": "no such user"}
    )
    assert [args for _, args in calls[1:]] == [
        (("kept",), (), ("old",)),
        (("kept", "new1"), ("new1",), ()),
        (("kept", "new2"), ("new2",), ()),
    ]


def test_a_transient_failure_of_rules_is_tried_again_whole(script: dict[str, Any]) -> None:
    script["update_access"] = TransientError("not now")

    told, calls = outcome(APPLY, WITH_RULES)

    assert isinstance(told, ReportFailure)
    assert told.kind == "transient"
    assert len(calls) == 1


def test_a_rule_that_does_not_come_off_fails_the_deletion(script: dict[str, Any]) -> None:
    script["update_access"] = {"old": "busy"}
    removal = ApplyRules(add=(), delete=(rule("old"),), cascade=True)

    told, _ = outcome(removal, WITH_RULES)

    assert told == ReportFailure(kind="failed", reason="busy")


# -- backends --------------------------------------------------------------------------------------
def test_a_backend_that_was_taken_out_of_the_configuration_is_a_failure_with_its_name(
    script: dict[str, Any],
) -> None:
    gone = STATE.replace(share=STATE.share.replace(host="gone#pool"))

    told, _ = outcome(Destroy(), gone)

    assert isinstance(told, ReportFailure)
    assert told.kind == "failed"
    assert "'gone' is not configured; there are: main" in told.reason


@pytest.mark.parametrize("method", ["do_setup", "check_for_setup_error"])
@pytest.mark.parametrize("error", [DriverError("not mounted"), RuntimeError("a bug")])
def test_a_backend_that_is_not_ready_is_asked_again_later(
    script: dict[str, Any], method: str, error: Exception
) -> None:
    script[method] = error

    told, calls = outcome(Destroy())

    assert isinstance(told, ReportFailure)
    assert told.kind == "transient"
    assert "backend 'main' is not ready" in told.reason
    assert str(error) in told.reason
    assert calls == []


@pytest.mark.parametrize(
    ("command", "kind", "field"),
    [
        (CREATE.replace(share_proto="HDFS"), InvalidRequest, "protocol"),
        (CREATE.replace(host="nowhere"), ConfigError, "backend"),
        (CREATE.replace(source=SNAPSHOT), InvalidRequest, "size"),
        (AllowAccess(access_id="a", access_type="cert", access_to="x"), InvalidRequest, "access_type"),
        (
            AllowAccess(access_id="a", access_type="user", access_to="x", access_level="ro"),
            InvalidRequest, "access_level",
        ),
        (ShrinkShare(size=1), Refused, "backend"),
    ],
)  # fmt: skip
def test_what_a_backend_can_never_do_is_refused_before_it_is_recorded(
    script: dict[str, Any], command: Command, kind: type[Exception], field: str
) -> None:
    async def scenario() -> None:
        work = ShareWork(BackendDrivers({"main": BackendSettings(driver="scripted")}))
        with pytest.raises(kind) as caught:
            work.check(command, STATE)
        assert getattr(caught.value, "field", None) == field

    within(5, scenario())


def test_what_it_can_do_is_let_pass(script: dict[str, Any]) -> None:
    async def scenario() -> None:
        work = ShareWork(BackendDrivers({"main": BackendSettings(driver="scripted")}))
        for command in (CREATE, CREATE.replace(size=2, source=SNAPSHOT), ExtendShare(size=3)):
            work.check(command, STATE)
        work.check(CreateSnapshot(snapshot_id="n2"), STATE)
        work.check(AllowAccess(access_id="a", access_type="ip", access_to="::1"), STATE)

    within(5, scenario())


def test_a_backend_that_was_not_ready_is_set_up_again_the_next_time(
    script: dict[str, Any],
) -> None:
    async def scenario() -> None:
        backends = BackendDrivers({"main": BackendSettings(driver="scripted")})
        script["do_setup"] = DriverError("not mounted")
        with pytest.raises(Unavailable, match="not mounted"):
            backends.get("main")

        script.clear()

        assert backends.get("main") is backends.get("main")
        backends.close()

    within(5, scenario())
