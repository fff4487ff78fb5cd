"""The effects of a share as calls of a driver, and the outcome of every result or exception."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from share_actors.actors.effects import driver_setup
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
from share_actors.drivers.rule_updates import RuleChange
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
    RevertToSnapshot,
    ShareEffect,
    ShrinkShare,
)
from share_actors.events.share.rules import Rules
from share_actors.events.share.snapshot.access import AllowSnapshotAccess
from share_actors.events.share.snapshot.lifecycle import Snapshots
from share_actors.events.share.snapshot.messages import (
    ConfirmSnapshotCreated,
    ConfirmSnapshotDeleted,
    CreateSnapshot,
    DropSnapshot,
    TakeSnapshot,
)
from share_actors.values import (
    AccessRule,
    ExportLocation,
    RequestContext,
    Share,
    ShareSpec,
    Snapshot,
)
from tests.conftest import within

SNAPSHOT = Snapshot(id="n1", share_id="s1", size=2, status="available")
STATE = ShareState(
    share=Share(id="s1", size=1, host="main"), snapshots=Snapshots(held={"n1": SNAPSHOT})
)
CREATE = CreateShare(
    share_id="s1", size=1, spec=ShareSpec(host="main", project_id="p", user_id="u")
)
PLACE = ExportLocation(path="here:/s1")


class Scripted(ShareDriver):
    """Returns `script[method]`: raises it if it is an exception, calls it if it is callable."""

    protocols = ("NFS", "CIFS")
    access_types = ("user", "ip")
    access_levels = ("rw",)

    def __init__(self, script: dict[str, Any]) -> None:
        super().__init__()
        self.script, self.calls = script, list[tuple[str, tuple[Any, ...]]]()

    def _play(self, method: str, *args: Any) -> Any:
        self.calls.append((method, args))
        result = self.script.get(method)
        if isinstance(result, BaseException):
            raise result
        return result(*args) if callable(result) else result

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
    """The results of the driver of the backend `main`, by method."""
    results: dict[str, Any] = {}
    monkeypatch.setattr(driver_setup, "make_driver", lambda *args, **_: Scripted(results))
    return results


async def prepared(backends: BackendDrivers) -> None:
    """Return after the set-up of the backend `main`, which must be due."""
    preparation = backends.preparation("main")
    assert preparation is not None
    await preparation


def outcome(
    effect: ShareEffect, state: ShareState = STATE, *, attempt: int = 1, **settings: Any
) -> tuple[Command, list[tuple[str, tuple[Any, ...]]]]:
    """The outcome of *effect*, and the calls that the driver got for it."""

    async def scenario() -> tuple[Command, list[tuple[str, tuple[Any, ...]]]]:
        backends = BackendDrivers({"main": BackendSettings(driver="scripted", **settings)})
        done: asyncio.Future[Command] = asyncio.get_running_loop().create_future()
        ShareWork(backends).start(effect, state, RequestContext(attempt=attempt), done.set_result)
        command = await done
        backend = backends._ready.get("main")
        calls = backend.driver.calls if backend and isinstance(backend.driver, Scripted) else []
        backends.close()
        return command, [call for call in calls if "setup" not in call[0]]

    return within(10, scenario())


@pytest.mark.parametrize(
    ("effect", "method", "result", "expected"),
    [
        (
            Provision(source=None),
            "create_share",
            [PLACE],
            ConfirmCreated(export_locations=(PLACE,)),
        ),
        (
            Provision(source=SNAPSHOT),
            "create_share_from_snapshot",
            [PLACE],
            ConfirmCreated(export_locations=(PLACE,)),
        ),
        (
            Resize(doing="extend", size=5),
            "extend_share",
            None,
            ConfirmResized(doing="extend", size=5),
        ),
        (Destroy(), "delete_share", None, ConfirmDeleted()),
        (
            TakeSnapshot(snapshot_id="n1"),
            "create_snapshot",
            "at/n1",
            ConfirmSnapshotCreated(snapshot_id="n1", provider_location="at/n1"),
        ),
        (
            DropSnapshot(snapshot_id="n1"),
            "delete_snapshot",
            None,
            ConfirmSnapshotDeleted(snapshot_id="n1"),
        ),
    ],
)
def test_an_effect_is_one_call_whose_result_is_the_outcome(
    script: dict[str, Any], effect: ShareEffect, method: str, result: Any, expected: Command
) -> None:
    script[method] = result

    command, calls = outcome(effect)

    assert command == expected
    assert [called for called, _ in calls] == [method]


def test_the_driver_gets_the_extra_specs_of_the_share_and_of_the_share_of_its_snapshot(
    script: dict[str, Any],
) -> None:
    state = STATE.replace(extra_specs={"compression": "<is> True"})

    _, [(_, (share,))] = outcome(Provision(source=None), state)
    _, [(_, (snapshot,))] = outcome(TakeSnapshot(snapshot_id="n1"), state)

    assert share.extra_specs == snapshot.share.extra_specs == {"compression": "<is> True"}
    assert (snapshot.share.id, snapshot.share.snapshots) == ("s1", ())


def test_the_driver_of_a_clone_gets_the_share_of_the_snapshot(script: dict[str, Any]) -> None:
    parent = Share(id="parent", size=2, host="main", export_locations=(PLACE,))
    source = SNAPSHOT.replace(share_id="parent")
    script["create_share_from_snapshot"] = [PLACE]

    _, [(_, (_, snapshot))] = outcome(Provision(source=source), STATE.replace(parent=parent))

    assert snapshot.share == parent


def test_the_driver_is_told_when_its_attempt_is_given_up(
    script: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    remaining: list[float] = []

    def delete_share(driver: Scripted, context: RequestContext, *_: object) -> None:
        remaining.append(context.remaining_s)

    monkeypatch.setattr(Scripted, "delete_share", delete_share)

    outcome(Destroy(), timeout_s=40.0)

    assert 0 < remaining[0] <= 40.0


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
def test_an_error_of_the_driver_is_a_failure_of_the_matching_kind(
    script: dict[str, Any], error: Exception, kind: str, reason: str
) -> None:
    script["create_share"] = error

    command, _ = outcome(Provision(source=None))

    assert isinstance(command, ReportFailure)
    assert (command.kind, command.reason) == (kind, reason)


@pytest.mark.parametrize(
    "result",
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
def test_any_other_exception_or_result_is_a_bug_recorded_with_its_traceback(
    script: dict[str, Any], result: object
) -> None:
    script["create_share"] = result

    command, _ = outcome(Provision(source=None), max_attempts=7)

    assert isinstance(command, ReportFailure)
    assert (command.kind, command.max_attempts) == ("bug", 7)
    assert command.reason.startswith("Traceback")
    assert command.reason.encode()


def test_a_call_past_its_deadline_has_an_unknown_outcome(script: dict[str, Any]) -> None:
    gate = threading.Event()
    script["create_share"] = lambda share: gate.wait()

    command, _ = outcome(Provision(source=None), timeout_s=0.1)

    gate.set()
    assert isinstance(command, ReportFailure)
    assert (command.kind, command.reason) == ("unknown", "no answer within 0.1 s")


@pytest.mark.parametrize(("attempt", "pause"), [(1, 1.0), (2, 2.0), (4, 8.0), (9, 10.0)])
def test_the_pause_doubles_with_each_attempt_up_to_its_limit(
    script: dict[str, Any], attempt: int, pause: float
) -> None:
    script["create_share"] = TransientError("not now")
    before = datetime.now(UTC)

    command, _ = outcome(Provision(source=None), attempt=attempt, backoff_s=1.0, max_backoff_s=10.0)

    assert isinstance(command, ReportFailure)
    assert pause <= (command.retry_at - before).total_seconds() < pause + 5


# -- rules -----------------------------------------------------------------------------------------
def rule(i: str, state: Any = "queued") -> AccessRule:
    return AccessRule(id=i, access_type="user", access_to=i, state=state)


APPLY = ApplyRules(add=(rule("new1"), rule("new2")), delete=(rule("old", "denying"),))
RULES = Rules().with_rules(rule("kept", "active"), *APPLY.add, *APPLY.delete)
WITH_RULES = STATE.replace(rules=RULES)


def test_rules_are_applied_and_removed_in_one_call(script: dict[str, Any]) -> None:
    command, calls = outcome(APPLY, WITH_RULES)

    assert command == ConfirmRules(applied=("new1", "new2"), removed=("old",))
    assert calls == [("update_access", (("kept", "new1", "new2"), ("new1", "new2"), ("old",)))]


def test_only_the_rule_that_the_driver_names_fails(script: dict[str, Any]) -> None:
    script["update_access"] = {"new1": "no such user"}

    command, _ = outcome(APPLY, WITH_RULES)

    assert command == ConfirmRules(
        applied=("new2",), removed=("old",), failed={"new1": "no such user"}
    )


def test_the_clients_that_a_change_of_rules_cut_off_are_recorded(script: dict[str, Any]) -> None:
    script["update_access"] = RuleChange(cut_off=("bob at 10.0.0.7",))

    command, _ = outcome(APPLY, WITH_RULES)

    assert isinstance(command, ConfirmRules)
    assert command.cut_off == ("bob at 10.0.0.7",)


def test_of_very_many_clients_that_were_cut_off_the_rest_is_counted(script: dict[str, Any]) -> None:
    script["update_access"] = RuleChange(cut_off=[f"u{n} at 10.0.0.7" for n in range(130)])

    command, _ = outcome(APPLY, WITH_RULES)

    assert isinstance(command, ConfirmRules)
    assert (len(command.cut_off), command.cut_off[-1]) == (101, "30 more")


def test_rules_that_are_refused_together_are_updated_one_by_one(script: dict[str, Any]) -> None:
    def refuse(desired: tuple[str, ...], add: tuple[str, ...], delete: tuple[str, ...]) -> None:
        if "new1" in desired:
            raise DriverError("no such user")

    script["update_access"] = refuse

    command, calls = outcome(APPLY, WITH_RULES)

    assert command == ConfirmRules(
        applied=("new2",), removed=("old",), failed={"new1": "no such user"}
    )
    assert [args for _, args in calls[1:]] == [
        (("kept",), (), ("old",)),
        (("kept", "new1"), ("new1",), ()),
        (("kept", "new2"), ("new2",), ()),
    ]


def test_a_transient_failure_of_rules_is_retried_for_all_of_them(script: dict[str, Any]) -> None:
    script["update_access"] = TransientError("not now")

    command, calls = outcome(APPLY, WITH_RULES)

    assert isinstance(command, ReportFailure)
    assert command.kind == "transient"
    assert len(calls) == 1


def test_a_rule_that_cannot_be_removed_fails_the_deletion_of_the_share(
    script: dict[str, Any],
) -> None:
    script["update_access"] = {"old": "busy"}
    removal = ApplyRules(add=(), delete=(rule("old"),), cascade=True)

    command, _ = outcome(removal, WITH_RULES)

    assert command == ReportFailure(kind="failed", reason="busy")


# -- backends --------------------------------------------------------------------------------------
def test_an_effect_on_a_backend_that_is_not_configured_fails_with_its_name(
    script: dict[str, Any],
) -> None:
    gone = STATE.replace(share=STATE.share.replace(host="gone#pool"))

    command, _ = outcome(Destroy(), gone)

    assert isinstance(command, ReportFailure)
    assert command.kind == "failed"
    assert "'gone' is not configured; there are: main" in command.reason


@pytest.mark.parametrize("method", ["do_setup", "check_for_setup_error"])
@pytest.mark.parametrize("error", [DriverError("not mounted"), RuntimeError("a bug")])
def test_an_effect_on_a_backend_that_is_not_ready_is_retried_later(
    script: dict[str, Any], method: str, error: Exception
) -> None:
    script[method] = error

    command, calls = outcome(Destroy())

    assert isinstance(command, ReportFailure)
    assert command.kind == "transient"
    assert "backend 'main' is not ready" in command.reason
    assert str(error) in command.reason
    assert calls == []


@pytest.mark.parametrize(
    ("command", "kind", "field"),
    [
        (CREATE.replace(spec=CREATE.spec.replace(share_proto="HDFS")), InvalidRequest, "protocol"),
        (CREATE.replace(spec=CREATE.spec.replace(host="nowhere")), ConfigError, "backend"),
        (CREATE.replace(source=SNAPSHOT), InvalidRequest, "size"),
        (
            AllowAccess(access_id="a", access_type="cert", access_to="x"),
            InvalidRequest,
            "access_type",
        ),
        (
            AllowAccess(access_id="a", access_type="user", access_to="x", access_level="ro"),
            InvalidRequest,
            "access_level",
        ),
        (ShrinkShare(size=1), Refused, "backend"),
        (RevertToSnapshot(snapshot_id="n"), Refused, "backend"),
        (
            AllowSnapshotAccess(snapshot_id="n1", access_id="a", access_type="user", access_to="x"),
            Refused,
            "backend",
        ),
    ],
)
def test_a_command_that_the_backend_cannot_carry_out_is_refused(
    script: dict[str, Any], command: Command, kind: type[Exception], field: str
) -> None:
    async def scenario() -> None:
        work = ShareWork(BackendDrivers({"main": BackendSettings(driver="scripted")}))
        if (preparation := work.preparation(command, STATE)) is not None:
            await preparation
        with pytest.raises(kind) as caught:
            work.check(command, STATE)
        assert getattr(caught.value, "field", None) == field

    within(5, scenario())


def test_a_rule_that_the_protocol_of_the_share_does_not_have_is_refused_with_what_it_has(
    script: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    support = {"NFS": {"ip": ("rw", "ro")}, "CIFS": {"user": ("rw",)}}
    monkeypatch.setattr(Scripted, "access_support", support)
    smb = STATE.replace(share=STATE.share.replace(share_proto="CIFS"))
    by_address = AllowAccess(access_id="a", access_type="ip", access_to="10.0.0.1")
    reading = AllowAccess(access_id="a", access_type="user", access_to="eve", access_level="ro")

    async def scenario() -> None:
        work = ShareWork(BackendDrivers({"main": BackendSettings(driver="scripted")}))
        preparation = work.preparation(by_address, STATE)
        assert preparation is not None
        await preparation
        work.check(by_address, STATE)
        with pytest.raises(InvalidRequest, match=r"access_type: .* user, not 'ip' for CIFS shares"):
            work.check(by_address, smb)
        with pytest.raises(InvalidRequest, match=r"access_level: .* rw, not 'ro' for user rules"):
            work.check(reading, smb)

    within(5, scenario())


def test_a_command_that_the_backend_can_carry_out_is_accepted(script: dict[str, Any]) -> None:
    async def scenario() -> None:
        work = ShareWork(BackendDrivers({"main": BackendSettings(driver="scripted")}))
        preparation = work.preparation(CREATE, STATE)
        assert preparation is not None
        await preparation
        for command in (CREATE, CREATE.replace(size=2, source=SNAPSHOT), ExtendShare(size=3)):
            work.check(command, STATE)
        work.check(CreateSnapshot(snapshot_id="n2"), STATE)
        work.check(AllowAccess(access_id="a", access_type="ip", access_to="::1"), STATE)

    within(5, scenario())


def test_a_backend_that_could_not_be_set_up_is_set_up_again_at_its_next_use(
    script: dict[str, Any],
) -> None:
    async def scenario() -> None:
        backends = BackendDrivers({"main": BackendSettings(driver="scripted")})
        script["do_setup"] = DriverError("not mounted")
        await prepared(backends)
        with pytest.raises(Unavailable, match="not mounted"):
            backends.get("main")

        script.clear()
        await prepared(backends)

        assert backends.get("main") is backends.get("main")
        backends.close()

    within(5, scenario())
