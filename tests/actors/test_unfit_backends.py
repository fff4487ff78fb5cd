"""Backends that are not configured, not ready, or that cannot carry out a command."""

from typing import Any

import pytest

from share_actors.actors.effects.backends import BackendDrivers
from share_actors.actors.effects.share import ShareWork
from share_actors.config import BackendSettings
from share_actors.drivers.base import DriverError
from share_actors.errors import ConfigError, InvalidRequest, Refused, Unavailable
from share_actors.events.attempts import ReportFailure
from share_actors.events.decider import Command
from share_actors.events.share.access import AllowAccess
from share_actors.events.share.messages import Destroy, ExtendShare, RevertToSnapshot, ShrinkShare
from share_actors.events.share.snapshot.access import AllowSnapshotAccess
from share_actors.events.share.snapshot.messages import CreateSnapshot
from tests.actors.scripted_driver import CREATE, SNAPSHOT, STATE, Scripted, outcome, prepared
from tests.conftest import within


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
