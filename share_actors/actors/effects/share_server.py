"""The effects of a share server: addresses from its network, set-up and teardown by its driver."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, assert_never

from share_actors.actors.effects import outcomes
from share_actors.actors.effects.backends import BackendDriver, BackendDrivers, NotStartedYet
from share_actors.actors.effects.sealed_commands import opened_services
from share_actors.actors.effects.server_attachment import NETWORK, SERVER
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.sealing import Sealer
from share_actors.config import BackendSettings
from share_actors.drivers.abilities import NotStarted
from share_actors.drivers.base import DriverError
from share_actors.drivers.fence import TOKEN, within_attempt
from share_actors.errors import ConfigError, NotFound
from share_actors.events.attempts import ReportFailure
from share_actors.events.decider import Command
from share_actors.events.share_network import GrantAddresses, ReleaseAddresses
from share_actors.events.share_server import (
    AllocateAddresses,
    AttachShare,
    ConfirmAddressesAllocated,
    ConfirmAddressesDeallocated,
    ConfirmSetUp,
    ConfirmTornDown,
    DeallocateAddresses,
    ServerEffect,
    SetUpServer,
    ShareServerState,
    TearDownServer,
)
from share_actors.values import (
    NetworkInfo,
    RequestContext,
    SecurityService,
    ShareNetwork,
    ShareServer,
    utc_now,
)

T = TypeVar("T")
STEPS = 3
"""What an attempt may consist of: two calls of the driver and a command to the network."""


class ServerWork:
    """The `Work` of a share server (see `actors.entity.turn`), on its network and its backend's driver."""

    def __init__(
        self,
        backends: BackendDrivers,
        entity_client: EntityClient,
        sealer: Callable[[], Sealer],
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._backends, self._entity_client = backends, entity_client
        self._sealer, self._clock = sealer, clock
        self.tasks = outcomes.EffectTasks()

    def preparation(self, command: Command, state: ShareServerState) -> Awaitable[None] | None:
        """What has to end before *command* can be checked: the set-up of a new server's backend."""
        if not isinstance(command, AttachShare):
            return None
        return self._backends.preparation(command.host.partition("#")[0])

    def check(self, command: Command, state: ShareServerState) -> None:
        """Raise `ConfigError` if the backend of a new server is not configured."""
        if isinstance(command, AttachShare):
            self._backends.driver(command.host.partition("#")[0])

    def timeout_s(self, effect: ServerEffect, state: ShareServerState) -> float:
        """How long one attempt at *effect* on the server's backend may take, all its steps together."""
        return STEPS * self._settings(state).timeout_s

    def cut_off(self, state: ShareServerState, now: datetime) -> ReportFailure:
        """The failure of the attempt under way, whose process ended: see `outcomes.cut_off`."""
        assert state.attempt is not None
        return outcomes.cut_off(state.attempt.n, self._settings(state), now)

    def max_pause_s(self, state: ShareServerState) -> float:
        """The longest pause between attempts: `max_backoff_s` of the backend."""
        return self._settings(state).max_backoff_s

    def _settings(self, state: ShareServerState) -> BackendSettings:
        settings = self._backends.settings.get(state.server.backend)
        return BackendSettings(driver="") if settings is None else settings

    def start(
        self,
        effect: ServerEffect,
        state: ShareServerState,
        context: RequestContext,
        done: Callable[[Command], None],
    ) -> None:
        """Start *effect* as a task; *done* gets the outcome as a command."""
        settings, backend = self._settings(state), state.server.backend

        def ended(result: Any) -> None:
            now = self._clock()
            outcome = outcomes.outcome(result, backend, settings, context, now)
            try:
                outcome = self._sealed(outcome, state.server)
            except ConfigError as error:  # there is no key
                outcome = outcomes.outcome(error, backend, settings, context, now)
            done(outcome)

        perform = partial(self._perform, effect, state.server, context)
        self.tasks.start(perform, self.timeout_s(effect, state), ended)

    async def _perform(
        self, effect: ServerEffect, server: ShareServer, context: RequestContext
    ) -> Command:
        if server.status == "unmanage_starting":  # it is being forgotten: its driver is not called
            return await self._release_addresses(server, context)
        if (preparation := self._backends.preparation(server.backend)) is not None:
            await preparation
        try:
            backend = self._backends.get(server.backend)
        except NotStartedYet as error:
            raise NotStarted(error.message) from None
        except ConfigError as error:  # it was removed from the configuration
            raise DriverError(error.message) from None
        match effect:
            case AllocateAddresses():
                return await self._take_addresses(backend, server, context)
            case SetUpServer():
                return await self._set_up(backend, server, context)
            case TearDownServer():
                return await self._tear_down(backend, server, context)
            case DeallocateAddresses():
                return await self._give_addresses_back(backend, server, context)
            case _:
                assert_never(effect)

    # -- addresses -------------------------------------------------------------------------------
    async def _take_addresses(
        self, backend: BackendDriver, server: ShareServer, context: RequestContext
    ) -> Command:
        count = await _in_thread(backend, backend.driver.get_network_allocations_number, server)
        grant = GrantAddresses(server_id=server.id, count=count)
        network = await self._entity_client.ask(ShareNetwork, _network(server), grant, context)
        addresses = network.allocations.get(server.id, ())
        allocated = server.replace(network_allocations=addresses)
        context = context.ending_in(backend.settings.timeout_s)
        call = partial(backend.driver.allocate_network, context, allocated, network, count)
        await _in_thread(backend, partial(_attempt, context, server, call), server)
        return ConfirmAddressesAllocated(addresses=addresses)

    async def _give_addresses_back(
        self, backend: BackendDriver, server: ShareServer, context: RequestContext
    ) -> Command:
        ending = context.ending_in(backend.settings.timeout_s)
        call = partial(backend.driver.deallocate_network, ending, server.id)
        await _in_thread(backend, partial(_attempt, ending, server, call), server)
        return await self._release_addresses(server, context)

    async def _release_addresses(self, server: ShareServer, context: RequestContext) -> Command:
        release = ReleaseAddresses(server_id=server.id)
        await self._entity_client.ask(ShareNetwork, _network(server), release, context)
        return ConfirmAddressesDeallocated()

    # -- the server itself -----------------------------------------------------------------------
    async def _set_up(
        self, backend: BackendDriver, server: ShareServer, context: RequestContext
    ) -> Command:
        network = await self._entity_client.view(ShareNetwork, _network(server))
        context = context.ending_in(backend.settings.timeout_s)
        metadata = {
            "request_id": context.request_id,
            "attempt": context.attempt,
            "token": context.token,
            "deadline": context.deadline,
        }
        info = self._network_info(server, network)
        call = partial(backend.driver.setup_server, info, metadata=metadata)
        details = dict(
            await _in_thread(backend, partial(_attempt, context, server, call), server) or {}
        )
        return ConfirmSetUp(details=outcomes.texts(details))

    def _sealed(self, outcome: Command, server: ShareServer) -> Command:
        """*outcome* with the details sealed that are not public: of a server that is set up, or in part."""
        if not isinstance(outcome, ConfirmSetUp | ReportFailure) or not outcome.details:
            return outcome
        public = self._backends.public_details(server.backend)
        details = self._sealer().seal_details(outcome.details, _address(server), public)
        return outcome.replace(details=details)

    async def _tear_down(
        self, backend: BackendDriver, server: ShareServer, context: RequestContext
    ) -> Command:
        try:
            network = await self._entity_client.view(ShareNetwork, _network(server))
        except NotFound:
            network = ShareNetwork()
        opened = self._sealer().open_details(server.backend_details, _address(server))
        details = {**opened, "server_id": server.id, TOKEN: context.token}
        services = self._open_services(network)
        call = partial(backend.driver.teardown_server, details, security_services=services)
        ending = context.ending_in(backend.settings.timeout_s)
        await _in_thread(backend, partial(_attempt, ending, server, call), server)
        return ConfirmTornDown()

    def _network_info(self, server: ShareServer, network: ShareNetwork) -> NetworkInfo:
        return NetworkInfo(
            server_id=server.id,
            backend_name=server.backend,
            network_id=network.id,
            cidr=network.cidr,
            gateway=network.gateway,
            network_type=network.network_type,
            segmentation_id=network.segmentation_id,
            network_allocations=server.network_allocations,
            security_services=self._open_services(network),
        )

    def _open_services(self, network: ShareNetwork) -> tuple[SecurityService, ...]:
        """The security services with their passwords unsealed, for a driver."""
        address = f"{NETWORK}{network.id}"
        return opened_services(network.security_services, address, self._sealer())


def _address(server: ShareServer) -> str:
    return f"{SERVER}{server.id}"


def _network(server: ShareServer) -> str:
    return f"{NETWORK}{server.share_network_id}"


def _attempt(context: RequestContext, server: ShareServer, call: Callable[[], T]) -> T:
    with within_attempt(context, server.id):
        return call()


async def _in_thread(backend: BackendDriver, call: Callable[[], T], server: ShareServer) -> T:
    """The result of *call* in one of the backend's threads; raises `DeadlinePassed` if it takes too long."""
    ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def done(result: Any) -> None:
        if not ended.done():
            ended.set_result(result)

    backend.threads.submit(call, backend.settings.timeout_s, done, _address(server))
    result = await ended
    if isinstance(result, TimeoutError) and result.__traceback__ is None:
        raise outcomes.DeadlinePassed(str(result))
    if isinstance(result, BaseException):
        raise result
    returned: T = result
    return returned
