"""The effects of a share: calls of its driver in a thread, and commands to its network and share server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any

from share_actors.actors.effects import (
    outcomes,
    server_attachment,
    share_driver_calls,
    source_hold,
)
from share_actors.actors.effects.backends import (
    BackendDriver,
    BackendDrivers,
    NotStartedYet,
)
from share_actors.actors.effects.preconditions import backend_of, check
from share_actors.actors.effects.sealed_commands import opened_effect
from share_actors.actors.effects.share_driver_calls import DriverEffect
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.sealing import Sealer
from share_actors.config import BackendSettings
from share_actors.errors import ConfigError, ShareActorsError
from share_actors.events.attempts import ReportFailure
from share_actors.events.decider import Command
from share_actors.events.share import ShareState
from share_actors.events.share.manage import ConfirmUnmanaged, Unmanage
from share_actors.events.share.messages import ShareEffect
from share_actors.events.share.server_attachment import (
    AcquireServer,
    ConfirmReleased,
    ConfirmServer,
    ReleaseServer,
)
from share_actors.events.share.snapshot.cloning import CloningEffect, HoldSource, ReleaseSource
from share_actors.events.share.snapshot.messages import (
    ConfirmSnapshotUnmanaged,
    UnmanageExistingSnapshot,
)
from share_actors.values import RequestContext, utc_now

NO_BACKEND_TIMEOUT_S = 60.0
"""The time limit of an attempt on a backend that is not configured any more."""


class ShareWork:
    """The `Work` of a share (see `actors.entity.turn`), on the driver of its backend."""

    def __init__(
        self,
        backends: BackendDrivers,
        clock: Callable[[], datetime] = utc_now,
        entity_client: EntityClient | None = None,
        sealer: Callable[[], Sealer] | None = None,
    ) -> None:
        self._backends, self._clock, self._entity_client = backends, clock, entity_client
        self._sealer = sealer
        self.tasks = outcomes.EffectTasks()

    def preparation(self, command: Command, state: ShareState) -> Awaitable[None] | None:
        """What has to end before *command* can be checked: the set-up of its backend."""
        name = backend_of(command, state)
        return None if name is None else self._backends.preparation(name)

    def check(self, command: Command, state: ShareState) -> None:
        """Raise `ShareActorsError` if the backend can never do what *command* requests."""
        check(command, state, self._backends)

    def timeout_s(self, effect: ShareEffect, state: ShareState) -> float:
        """How long one attempt at *effect* may take."""
        settings = self._backends.settings.get(state.share.backend)
        if settings is None:
            return NO_BACKEND_TIMEOUT_S
        on_server = isinstance(effect, AcquireServer | ReleaseServer)
        return _attachment_timeout_s(settings) if on_server else settings.timeout_s

    def cut_off(self, state: ShareState, now: datetime) -> ReportFailure:
        """The failure of the attempt under way, whose process ended: see `outcomes.cut_off`."""
        assert state.attempt is not None
        return outcomes.cut_off(state.attempt.n, self._settings(state), now)

    def max_pause_s(self, state: ShareState) -> float:
        """The longest pause between attempts: `max_backoff_s` of the backend."""
        return self._settings(state).max_backoff_s

    def _settings(self, state: ShareState) -> BackendSettings:
        settings = self._backends.settings.get(state.share.backend)
        return BackendSettings(driver="") if settings is None else settings

    def start(
        self,
        effect: ShareEffect,
        state: ShareState,
        context: RequestContext,
        done: Callable[[Command], None],
    ) -> None:
        """Start *effect* in a thread or as a task; *done* gets the outcome as a command."""
        if isinstance(effect, HoldSource | ReleaseSource):  # their backend need not be configured
            self._start_with_parent(effect, state, context, done)
            return
        if isinstance(effect, ReleaseServer):
            self._start_release(state, context, done)
            return

        def found(backend: BackendDriver | ShareActorsError) -> None:
            if isinstance(backend, BackendDriver):
                self._start_with_driver(backend, effect, state, context, done)
            else:
                done(self._without_driver(backend, effect, state, context))

        self._backends.when_ready(state.share.backend, found)

    def _without_driver(
        self,
        error: ShareActorsError,
        effect: ShareEffect,
        state: ShareState,
        context: RequestContext,
    ) -> Command:
        """The outcome of an effect whose backend is not ready."""
        if isinstance(error, ConfigError):  # it was removed from the configuration
            return without_backend(effect, error.message)
        settings, now = self._settings(state), self._clock()
        if isinstance(error, NotStartedYet):
            return outcomes.until_started(error.message, settings, context, now)
        return outcomes.retryable("transient", error.message, settings, context, now)

    def _start_with_driver(
        self,
        backend: BackendDriver,
        effect: AcquireServer | DriverEffect,
        state: ShareState,
        context: RequestContext,
        done: Callable[[Command], None],
    ) -> None:
        def ended(result: Any) -> None:
            now = self._clock()
            done(outcomes.outcome(result, backend.name, backend.settings, context, now))

        try:
            self._start_on(backend, effect, state, context, ended)
        except ConfigError as error:  # a secret does not open
            ended(error)

    def _start_with_parent(
        self,
        effect: CloningEffect,
        state: ShareState,
        context: RequestContext,
        done: Callable[[Command], None],
    ) -> None:
        """Start *effect* on the share of the snapshot that the share is created from."""
        assert self._entity_client is not None
        settings, backend = self._settings(state), state.share.backend
        perform = partial(source_hold.perform, self._entity_client, effect, state.share.id, context)

        def ended(result: Any) -> None:
            now = self._clock()
            outcome = outcomes.outcome(result, backend, settings, context, now)
            if isinstance(effect, ReleaseSource):
                outcome = source_hold.paused(outcome, settings, context, now)
            done(outcome)

        self.tasks.start(perform, self.timeout_s(effect, state), ended)

    def _start_release(
        self, state: ShareState, context: RequestContext, done: Callable[[Command], None]
    ) -> None:
        """Detach the share from its server: no driver is called, so that it works without a backend."""
        settings, backend = self._settings(state), state.share.backend
        if backend not in self._backends.settings or state.doing in ("forget", "unmanage"):
            settings = settings.model_copy(update={"delete_server_with_last_share": False})

        def ended(result: Any) -> None:
            done(outcomes.outcome(result, backend, settings, context, self._clock()))

        release = partial(self._release_server, state, settings, context)
        self.tasks.start(release, _attachment_timeout_s(settings), ended)

    def _start_on(
        self,
        backend: BackendDriver,
        effect: AcquireServer | share_driver_calls.DriverEffect,
        state: ShareState,
        context: RequestContext,
        ended: Callable[[Any], None],
    ) -> None:
        settings = backend.settings
        match effect:
            case AcquireServer():
                acquire = partial(self._acquire_server, state, settings, context)
                self.tasks.start(acquire, _attachment_timeout_s(settings), ended)
            case _:
                opened = self._opened(effect, state)
                call = partial(
                    share_driver_calls.perform, backend.driver, *opened, context, settings.timeout_s
                )
                backend.threads.submit(call, settings.timeout_s, ended, state.share.id)

    def _opened(self, effect: DriverEffect, state: ShareState) -> tuple[DriverEffect, ShareState]:
        """*effect* and *state* with unsealed secrets, for the driver: options, and server details."""
        if self._sealer is None:
            return effect, state
        effect, server = opened_effect(effect, state.share.id, self._sealer), state.server
        if server is None:
            return effect, state
        address = f"{server_attachment.SERVER}{server.id}"
        details = self._sealer().open_details(server.backend_details, address)
        return effect, state.replace(server=server.replace(backend_details=details))

    async def _acquire_server(
        self, state: ShareState, settings: BackendSettings, context: RequestContext
    ) -> Command:
        assert self._entity_client is not None
        server = await server_attachment.acquire(self._entity_client, state, settings, context)
        return ConfirmServer(server=server)

    async def _release_server(
        self, state: ShareState, settings: BackendSettings, context: RequestContext
    ) -> Command:
        assert self._entity_client is not None
        await server_attachment.release(self._entity_client, state, settings, context)
        return ConfirmReleased()


def without_backend(effect: ShareEffect, reason: str) -> Command:
    """The outcome of an effect whose backend is not configured: what leaves data in place needs no driver."""
    match effect:
        case Unmanage():
            return ConfirmUnmanaged(gone=reason)
        case UnmanageExistingSnapshot(snapshot_id=i):
            return ConfirmSnapshotUnmanaged(snapshot_id=i, gone=reason)
        case _:
            return ReportFailure(kind="failed", reason=reason)


def _attachment_timeout_s(settings: BackendSettings) -> float:
    """How long a share may wait for its share server, whose own effects may take several attempts."""
    return 2 * settings.max_attempts * (settings.timeout_s + settings.max_backoff_s)
