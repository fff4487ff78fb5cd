"""What a share's effects mean on a driver, and how their outcomes come back."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal, assert_never

from share_actors.actors.adoption import adopted
from share_actors.actors.backends import Backend, Backends
from share_actors.config import BackendSettings
from share_actors.drivers.base import (
    DriverError,
    NotSupported,
    RefusedByBackend,
    ShareDriver,
    TransientError,
)
from share_actors.errors import ConfigError, InvalidRequest, Refused, Unavailable
from share_actors.events import access, share, snapshots
from share_actors.events.access import AllowAccess, ApplyRules, ConfirmRules
from share_actors.events.base import Command, ReportFailure
from share_actors.events.share import ShareState
from share_actors.events.share_words import (
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
from share_actors.events.snapshots import CreateSnapshot, DropSnapshot, TakeSnapshot
from share_actors.values import AccessRule, RequestContext, Share, utc_now

logger = logging.getLogger(__name__)
NO_BACKEND_TIMEOUT_S = 60.0


class ShareWork:
    """The port from a share to its backend's driver (`actors.entity.Work`)."""

    def __init__(self, backends: Backends, clock: Callable[[], datetime] = utc_now) -> None:
        self._backends, self._clock = backends, clock

    def check(self, command: Command, state: ShareState) -> None:
        """Raise `ShareActorsError` when the backend could never do what *command* asks."""
        match command:
            case CreateShare(host=host, share_proto=proto, source=source):
                backend = self._backends.get(host.partition("#")[0])
                _one_of("protocol", proto, backend.driver.protocols, backend)
                if source is not None:
                    _supports(backend, "create_share_from_snapshot")
                    _large_enough(command)
            case AllowAccess(access_type=kind, access_to=to, access_level=level):
                backend = self._backends.get(state.share.backend)
                _one_of("access_type", kind, backend.driver.access_types, backend, f" (for {to!r})")
                _one_of("access_level", level, backend.driver.access_levels, backend)
            case ExtendShare():
                _supports(self._backends.get(state.share.backend), "extend_share")
            case ShrinkShare():
                _supports(self._backends.get(state.share.backend), "shrink_share")
            case CreateSnapshot():
                _supports(self._backends.get(state.share.backend), "create_snapshot")
            case _:
                pass

    def timeout_s(self, state: ShareState) -> float:
        """How long one attempt on the share's backend may take."""
        settings = self._backends.settings.get(state.share.backend)
        return NO_BACKEND_TIMEOUT_S if settings is None else settings.timeout_s

    def cut_off(self, state: ShareState, now: datetime) -> ReportFailure:
        """The process of the attempt under way ended: made again, at once after the first."""
        assert state.attempt is not None
        settings, n = self._settings(state), state.attempt.n
        pause = 0.0 if n == 1 else _pause(n - 1, settings)
        said = "the process that made it ended before the outcome was known"
        at, most = now + timedelta(seconds=pause), settings.max_cut_off
        return ReportFailure(kind="unknown", reason=said, retry_at=at, max_attempts=most)

    def longest_pause_s(self, state: ShareState) -> float:
        return self._settings(state).max_backoff_s

    def _settings(self, state: ShareState) -> BackendSettings:
        known = self._backends.settings.get(state.share.backend)
        return BackendSettings(driver="") if known is None else known

    def start(
        self,
        effect: ShareEffect,
        state: ShareState,
        context: RequestContext,
        done: Callable[[Command], None],
    ) -> None:
        """Ask the driver in a thread; *done* gets the outcome as a command."""
        try:
            backend = self._backends.get(state.share.backend)
        except ConfigError as error:  # taken out of the configuration since
            done(ReportFailure(kind="failed", reason=error.message))
            return
        except Unavailable as error:
            settings = self._backends.settings[state.share.backend]
            done(_again("transient", error.message, settings, context, self._clock()))
            return
        call = partial(_ask_driver, backend.driver, effect, state, context)
        backend.threads.submit(
            call,
            backend.settings.timeout_s,
            lambda result: done(_outcome(result, backend, context, self._clock())),
        )


# -- before anything is recorded -----------------------------------------------------------------
def _one_of(
    field: str, value: str, known: tuple[str, ...], backend: Backend, more: str = ""
) -> None:
    if value not in known:
        raise InvalidRequest(
            f"{field}: backend {backend.name} knows {', '.join(known)}, not {value!r}{more}",
            field=field, value=value,
        )  # fmt: skip


def _supports(backend: Backend, method: str) -> None:
    if not backend.driver.supports(method):
        raise Refused(f"backend {backend.name} cannot {method.replace('_', ' ')}", field="backend")


def _large_enough(command: CreateShare) -> None:
    assert command.source is not None
    if command.size < command.source.size:
        raise InvalidRequest(
            f"size: {command.size} GiB is less than the {command.source.size} GiB of snapshot"
            f" {command.source.id}",
            field="size", value=command.size,
        )  # fmt: skip


# -- in a thread ---------------------------------------------------------------------------------
def _ask_driver(
    driver: ShareDriver, effect: ShareEffect, state: ShareState, context: RequestContext
) -> Command:
    if state.attempt is not None and state.attempt.probe:
        done = _probed(driver, effect, state, context)
        if done is not None:
            return done
    return _asked(driver, effect, state, context)


def _probed(
    driver: ShareDriver, effect: ShareEffect, state: ShareState, context: RequestContext
) -> Command | None:
    """What came of the attempt before, as far as the backend tells; a broken share is removed."""
    held = share.view(state)
    try:
        found = driver.probe_share(context, held)
    except TransientError:
        raise
    except DriverError as error:  # then the method itself tells what is wrong
        logger.warning("share %s could not be probed: %s", held.id, error)
        return None
    if found is None:
        return None
    if found.state == "broken" and isinstance(effect, Provision):
        driver.delete_share(context, held)
    return adopted(effect, state, found)


def _asked(
    driver: ShareDriver, effect: ShareEffect, state: ShareState, context: RequestContext
) -> Command:
    held = share.view(state)
    match effect:
        case Provision(source=source):
            if source is None:
                made = driver.create_share(context, held)
            else:
                made = driver.create_share_from_snapshot(context, held, source)
            return ConfirmCreated(export_locations=tuple(made))
        case Resize(doing=doing, size=size):
            resize = driver.extend_share if doing == "extend" else driver.shrink_share
            resize(context, held, size)
            return ConfirmResized(doing=doing, size=size)
        case Destroy():
            driver.delete_share(context, held)
            return ConfirmDeleted()
        case ApplyRules():
            return _apply(driver, effect, access.desired(state.rules, effect), held, context)
        case TakeSnapshot(snapshot_id=i):
            where = driver.create_snapshot(context, state.snapshots.held[i])
            return snapshots.ConfirmSnapshotCreated(snapshot_id=i, provider_location=where)
        case DropSnapshot(snapshot_id=i):
            driver.delete_snapshot(context, state.snapshots.held[i])
            return snapshots.ConfirmSnapshotDeleted(snapshot_id=i)
        case _:
            assert_never(effect)


def _apply(
    driver: ShareDriver,
    effect: ApplyRules,
    desired: tuple[AccessRule, ...],
    held: Share,
    context: RequestContext,
) -> ConfirmRules:
    changed = (*effect.add, *effect.delete)
    try:
        failed = dict(
            driver.update_access(context, held, desired, effect.add, effect.delete, ()) or {}
        )
    except TransientError:
        raise
    except DriverError as error:
        if len(changed) == 1:
            failed = {changed[0].id: _said(error)}
        else:
            failed = _one_by_one(driver, effect, desired, held, context)
    if effect.cascade and failed:
        raise DriverError("; ".join(failed.values()))
    applied = tuple(r.id for r in effect.add if r.id not in failed)
    removed = tuple(r.id for r in effect.delete if r.id not in failed)
    return ConfirmRules(applied=applied, removed=removed, failed=failed)


def _one_by_one(
    driver: ShareDriver,
    effect: ApplyRules,
    desired: tuple[AccessRule, ...],
    held: Share,
    context: RequestContext,
) -> dict[str, str]:
    """The backend refused the rules together: find out which are to blame, and apply the others."""
    failed: dict[str, str] = {}
    on: list[AccessRule] = [r for r in desired if r.state == "active"] + list(effect.delete)
    for rule in (*effect.delete, *effect.add):
        adding = rule in effect.add
        wanted = [*on, rule] if adding else [r for r in on if r.id != rule.id]
        add, delete = ((rule,), ()) if adding else ((), (rule,))
        try:
            said = driver.update_access(context, held, wanted, add, delete, ()) or {}
        except TransientError:
            raise
        except DriverError as error:
            said = {rule.id: _said(error)}
        failed.update(said)
        if rule.id not in said:
            on = wanted
    return failed


# -- back on the loop ----------------------------------------------------------------------------
def _outcome(result: Any, backend: Backend, context: RequestContext, now: datetime) -> Command:
    """What the call returned, or the failure that its exception comes to."""
    match result:
        case RefusedByBackend():
            return ReportFailure(kind="refused", reason=_said(result))
        case TransientError():
            return _again("transient", _said(result), backend.settings, context, now)
        case DriverError():
            return ReportFailure(kind="failed", reason=_said(result))
        case TimeoutError() if result.__traceback__ is None:  # the deadline's, not the driver's own
            return _again("unknown", str(result), backend.settings, context, now)
        case BaseException():
            told = "".join(traceback.format_exception(result))
            logger.error("backend %s: the driver raised\n%s", backend.name, told)
            return _again("bug", _writable(told.strip()), backend.settings, context, now)
        case _:
            outcome: Command = result
            return outcome


def _said(error: DriverError) -> str:
    if isinstance(error, NotSupported):
        return _writable(f"not supported: {error}")
    return _writable(str(error) or type(error).__name__)


def _writable(text: str) -> str:
    """*text* as it can be recorded: names of files may hold bytes that are no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _again(
    kind: Literal["transient", "bug", "unknown"],
    reason: str,
    settings: BackendSettings,
    context: RequestContext,
    now: datetime,
) -> ReportFailure:
    """Another attempt is worth making, after a pause."""
    at = now + timedelta(seconds=_pause(context.attempt, settings))
    return ReportFailure(kind=kind, reason=reason, retry_at=at, max_attempts=settings.max_attempts)


def _pause(attempt: int, settings: BackendSettings) -> float:
    """Seconds between *attempt* and the next: twice as many each time, up to a limit."""
    doublings = min(max(attempt, 1) - 1, 60)
    return min(settings.backoff_s * 2.0**doublings, settings.max_backoff_s)
