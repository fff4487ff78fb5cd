"""What a share's effects mean on a driver, and how their outcomes come back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any, assert_never

from share_actors.actors.effects import outcomes, server_attachment
from share_actors.actors.effects.backends import BackendDriver, BackendDrivers
from share_actors.actors.effects.manage_existing import managed_snapshot_outcome, taken
from share_actors.actors.effects.outcomes import said
from share_actors.actors.effects.preconditions import check
from share_actors.actors.effects.probe import probe_outcome
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.sealing import Sealer
from share_actors.config import BackendSettings
from share_actors.drivers.base import DriverError, ShareDriver, TransientError
from share_actors.errors import ConfigError, Unavailable
from share_actors.events import share
from share_actors.events.attempts import ReportFailure
from share_actors.events.decider import Command
from share_actors.events.share import ShareState, access, snapshot_messages
from share_actors.events.share.access import ApplyRules, ConfirmRules
from share_actors.events.share.ensure import ConfirmEnsured, Ensure
from share_actors.events.share.manage import Adopt, ConfirmUnmanaged, LetGo
from share_actors.events.share.messages import (
    ConfirmCreated,
    ConfirmDeleted,
    ConfirmResized,
    Destroy,
    Provision,
    Resize,
    ShareEffect,
)
from share_actors.events.share.server_attachment import (
    AcquireServer,
    ConfirmReleased,
    ConfirmServer,
    ReleaseServer,
)
from share_actors.events.share.snapshot_messages import (
    AdoptSnapshot,
    DropSnapshot,
    LetSnapshotGo,
    TakeSnapshot,
)
from share_actors.values import AccessRule, RequestContext, Share, utc_now

logger = logging.getLogger(__name__)
NO_BACKEND_TIMEOUT_S = 60.0


class ShareWork:
    """The port from a share to its backend's driver (`actors.entity.Work`)."""

    def __init__(
        self,
        backends: BackendDrivers,
        clock: Callable[[], datetime] = utc_now,
        entity_client: EntityClient | None = None,
        sealer: Callable[[], Sealer] | None = None,
    ) -> None:
        self._backends, self._clock, self._entity_client = backends, clock, entity_client
        self._sealer = sealer
        self._talks: set[asyncio.Task[Command]] = set()

    def check(self, command: Command, state: ShareState) -> None:
        """Raise `ShareActorsError` when the backend could never do what *command* asks."""
        check(command, state, self._backends)

    def timeout_s(self, state: ShareState) -> float:
        """How long one attempt on the share's backend may take."""
        settings = self._backends.settings.get(state.share.backend)
        if settings is None:
            return NO_BACKEND_TIMEOUT_S
        talks = isinstance(share.pending(state), AcquireServer | ReleaseServer)
        return _patience_s(settings) if talks else settings.timeout_s

    def cut_off(self, state: ShareState, now: datetime) -> ReportFailure:
        """The process of the attempt under way ended: made again, at once after the first."""
        assert state.attempt is not None
        return outcomes.cut_off(state.attempt.n, self._settings(state), now)

    def max_pause_s(self, state: ShareState) -> float:
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
            done(outcomes.again("transient", error.message, settings, context, self._clock()))
            return

        def ended(result: Any) -> None:
            settings = backend.settings
            done(outcomes.outcome(result, backend.name, settings, context, self._clock()))

        match effect:
            case AcquireServer():
                self._talk(partial(self._acquire, state, backend, context), backend, ended)
            case ReleaseServer():
                self._talk(partial(self._release, state, backend, context), backend, ended)
            case _:
                call = partial(_ask_driver, backend.driver, effect, self._opened(state), context)
                backend.threads.submit(call, backend.settings.timeout_s, ended)

    def _opened(self, state: ShareState) -> ShareState:
        """With its server's details as the driver gave them."""
        server = state.server
        if server is None or self._sealer is None:
            return state
        details = self._sealer().open_details(server.backend_details)
        return state.replace(server=server.replace(backend_details=details))

    # -- with its share server -------------------------------------------------------------------
    async def _acquire(
        self, state: ShareState, backend: BackendDriver, who: RequestContext
    ) -> Command:
        assert self._entity_client is not None
        server = await server_attachment.acquire(self._entity_client, state, backend.settings, who)
        return ConfirmServer(server=server)

    async def _release(
        self, state: ShareState, backend: BackendDriver, who: RequestContext
    ) -> Command:
        assert self._entity_client is not None
        await server_attachment.release(self._entity_client, state.share, backend.settings, who)
        return ConfirmReleased()

    def _talk(
        self,
        job: Callable[[], Awaitable[Command]],
        backend: BackendDriver,
        ended: Callable[[Any], None],
    ) -> None:
        """Run *job* on the loop; whatever it comes to is its outcome."""
        patient = outcomes.within(_patience_s(backend.settings), job)
        task = asyncio.get_running_loop().create_task(patient)
        self._talks.add(task)

        def over(task: asyncio.Task[Command]) -> None:
            self._talks.discard(task)
            if not task.cancelled():
                ended(task.exception() or task.result())

        task.add_done_callback(over)


def _patience_s(settings: BackendSettings) -> float:
    """How long a share waits for a share server, whose own steps may each be tried so often."""
    return 2 * settings.max_attempts * (settings.timeout_s + settings.max_backoff_s)


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
    if not isinstance(
        effect, Provision | Resize | ApplyRules | TakeSnapshot | DropSnapshot | Destroy
    ):
        return None
    held = share.view(state)
    try:
        found = driver.probe_share(context, held, state.server)
    except TransientError:
        raise
    except DriverError as error:  # then the method itself tells what is wrong
        logger.warning("share %s could not be probed: %s", held.id, error)
        return None
    if found is None:
        return None
    if found.state == "broken" and isinstance(effect, Provision):
        driver.delete_share(context, held, state.server)
    return probe_outcome(effect, state, found)


def _asked(
    driver: ShareDriver, effect: ShareEffect, state: ShareState, context: RequestContext
) -> Command:
    held, server = share.view(state), state.server
    match effect:
        case Provision(source=source):
            if source is None:
                made = driver.create_share(context, held, server)
            else:
                made = driver.create_share_from_snapshot(context, held, source, server)
            return ConfirmCreated(export_locations=tuple(made))
        case Resize(doing=doing, size=size):
            resize = driver.extend_share if doing == "extend" else driver.shrink_share
            resize(context, held, size, server)
            return ConfirmResized(doing=doing, size=size)
        case Destroy():
            driver.delete_share(context, held, server)
            return ConfirmDeleted()
        case ApplyRules():
            return _apply(driver, effect, state, held, context)
        case TakeSnapshot(snapshot_id=i):
            where = driver.create_snapshot(context, state.snapshots.held[i], server)
            return snapshot_messages.ConfirmSnapshotCreated(snapshot_id=i, provider_location=where)
        case DropSnapshot(snapshot_id=i):
            driver.delete_snapshot(context, state.snapshots.held[i], server)
            return snapshot_messages.ConfirmSnapshotDeleted(snapshot_id=i)
        case _:
            return _asked_further(driver, effect, state, context)


_Further = Adopt | LetGo | AdoptSnapshot | LetSnapshotGo | Ensure | AcquireServer | ReleaseServer


def _asked_further(
    driver: ShareDriver, effect: _Further, state: ShareState, context: RequestContext
) -> Command:
    """What a backend holds already is taken over, exported anew, or let go untouched."""
    held = share.view(state)
    match effect:
        case Adopt(driver_options=options):
            return taken(driver, context, held, options)
        case LetGo():
            driver.unmanage(held)
            return ConfirmUnmanaged()
        case AdoptSnapshot(snapshot_id=i, driver_options=options):
            return managed_snapshot_outcome(driver, state.snapshots.held[i], options)
        case LetSnapshotGo(snapshot_id=i):
            driver.unmanage_snapshot(state.snapshots.held[i])
            return snapshot_messages.ConfirmSnapshotUnmanaged(snapshot_id=i)
        case Ensure():
            exports = driver.ensure_share(context, held, state.server)
            return ConfirmEnsured(export_locations=None if exports is None else tuple(exports))
        case AcquireServer() | ReleaseServer():
            raise TypeError(f"{effect.key()} is no call of a driver")
        case _:
            assert_never(effect)


def _apply(
    driver: ShareDriver,
    effect: ApplyRules,
    state: ShareState,
    held: Share,
    context: RequestContext,
) -> ConfirmRules:
    desired = access.desired(state.rules, effect)
    changed = (*effect.add, *effect.delete)
    try:
        failed = dict(
            driver.update_access(
                context, held, desired, effect.add, effect.delete, (), state.server
            )
            or {}
        )
    except TransientError:
        raise
    except DriverError as error:
        if len(changed) == 1:
            failed = {changed[0].id: said(error)}
        else:
            failed = _one_by_one(driver, effect, state, held, context)
    if effect.cascade and failed:
        raise DriverError("; ".join(failed.values()))
    applied = tuple(r.id for r in effect.add if r.id not in failed)
    removed = tuple(r.id for r in effect.delete if r.id not in failed)
    return ConfirmRules(applied=applied, removed=removed, failed=failed)


def _one_by_one(
    driver: ShareDriver,
    effect: ApplyRules,
    state: ShareState,
    held: Share,
    context: RequestContext,
) -> dict[str, str]:
    """The backend refused the rules together: find out which are to blame, and apply the others."""
    failed: dict[str, str] = {}
    desired, server = access.desired(state.rules, effect), state.server
    on: list[AccessRule] = [r for r in desired if r.state == "active"] + list(effect.delete)
    for rule in (*effect.delete, *effect.add):
        adding = rule in effect.add
        wanted = [*on, rule] if adding else [r for r in on if r.id != rule.id]
        add, delete = ((rule,), ()) if adding else ((), (rule,))
        try:
            told = driver.update_access(context, held, wanted, add, delete, (), server) or {}
        except TransientError:
            raise
        except DriverError as error:
            told = {rule.id: said(error)}
        failed.update(told)
        if rule.id not in told:
            on = wanted
    return failed
