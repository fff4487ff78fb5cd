"""How shares are created and managed: from keyword arguments to commands, and from receipts to shares."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from share_actors.actors.manager.request_spec import managed_fields, share_fields
from share_actors.actors.messaging.messages import build
from share_actors.actors.messaging.parameters import flag, items, mapping, seconds
from share_actors.client.direct_route import OUTCOME_BATCH
from share_actors.client.ids import chosen_id, command_id_of
from share_actors.client.keywords import RequestOptions, with_command_id
from share_actors.client.receipt import Receipt, raise_for_status
from share_actors.client.requests import Requests, SentCommand
from share_actors.client.share.handle import AsyncShare
from share_actors.client.share.many import Results
from share_actors.config import Config
from share_actors.errors import ShareActorsError
from share_actors.events.decider import Command
from share_actors.events.share.manage import ManageShare
from share_actors.events.share.messages import CreateShare


class ShareCreator:
    """Creates shares, one or many, on behalf of one user."""

    def __init__(self, requests: Requests, config: Config) -> None:
        self._requests = requests
        self.config = config
        """The configuration in force when a backend was last looked up in it."""

    async def create(self, requested: dict[str, Any], options: RequestOptions) -> AsyncShare:
        """The share of these arguments; raises as `AsyncShareSystem.create_share` does."""
        command_id, options = with_command_id(options)
        share_id, command = await self.creation(requested, command_id)
        return self._share(await self._requests.ask(share_id, command, **options))

    async def create_many(
        self, shares: Iterable[Mapping[str, object]], wait: bool, timeout: float
    ) -> list[AsyncShare | ShareActorsError]:
        """The share of each mapping of arguments, or its error, in order."""
        until = time.monotonic() + seconds("timeout", timeout)
        flag("wait", wait)
        sent: list[SentCommand | ShareActorsError] = []
        for requested in items("shares", shares):
            sent.append(await self._send(requested, wait))
            if len(sent) % OUTCOME_BATCH == 0:
                await asyncio.sleep(0)  # send these while the next are prepared
        results = Results(self._share, partial(self._finished, until=until))
        return await results.of(sent, until)

    async def manage(
        self,
        requested: dict[str, Any],
        driver_options: Mapping[str, object],
        options: RequestOptions,
    ) -> AsyncShare:
        """The managed share; raises as `AsyncShareSystem.manage_share` does."""
        command_id, options = with_command_id(options)
        share_id = self._chosen_id(requested, command_id)
        driver_options = mapping("driver_options", driver_options)
        await self._reload_config_for(requested.get("backend"))
        fields = managed_fields(requested, self.config, self._requests.context)
        identified = {**fields, "share_id": share_id, "driver_options": driver_options}
        command = build(ManageShare, identified)
        return self._share(await self._requests.ask(share_id, command, **options))

    async def creation(self, requested: dict[str, Any], command_id: str) -> tuple[str, Command]:
        """The id of the share to create, and the command; raises `InvalidRequest` or `ConfigError`."""
        share_id = self._chosen_id(requested, command_id)
        await self._reload_config_for(requested.get("backend"))
        fields = share_fields(requested, self.config, self._requests.context)
        fields = {**fields, "share_id": share_id}
        return share_id, build(CreateShare, fields)

    def _chosen_id(self, requested: dict[str, Any], command_id: str) -> str:
        project_id = self._requests.context.project_id
        return chosen_id("share_id", requested.pop("share_id", None), command_id, project_id)

    async def _reload_config_for(self, backend: object) -> None:
        """Get the configuration again if it has no such backend: a reload may have added it."""
        if isinstance(backend, str) and backend not in self.config.backends:
            self.config = await self._requests.call_manager("config")

    async def _send(self, item: object, wait: bool) -> SentCommand | ShareActorsError:
        try:
            requested = mapping("share", item)
            command_id = command_id_of(requested.pop("command_id", None))
            share_id, command = await self.creation(requested, command_id)
            return self._requests.send(share_id, command, wait, command_id)
        except ShareActorsError as error:
            return error

    async def _finished(self, sent: SentCommand, until: float) -> AsyncShare:
        return self._share(await self._requests.reply_to(sent, until))

    def _share(self, receipt: Receipt) -> AsyncShare:
        return AsyncShare(self._requests, receipt.share_id, raise_for_status(receipt))
