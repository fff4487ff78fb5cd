"""The manager's verbs for backends that are gone or renamed: nothing depends on a driver to end."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from share_actors.actors.effects.server_attachment import SERVER
from share_actors.actors.manager.backend_contents import (
    BackendContents,
    renamed_host,
    require_same_storage,
)
from share_actors.actors.manager.manage_verbs import server_id_of
from share_actors.actors.manager.share_verbs import (
    Context,
    VerbResult,
    Verbs,
    context_of,
    permit,
)
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.messaging.messages import build
from share_actors.actors.messaging.parameters import word
from share_actors.actors.ports import Stats
from share_actors.actors.scheduling.scheduler import Scheduler
from share_actors.config import Config
from share_actors.errors import ConfigError, NotFound, Refused
from share_actors.events.backend import RenameBackend
from share_actors.events.phrases import not_configured
from share_actors.events.share.forgetting import ForgetShare
from share_actors.events.share.snapshot.messages import ForgetSnapshot
from share_actors.events.share_server import ForgetServer
from share_actors.values import BackendState, Share

MAX_PROBED = 20
"""How many of a renamed backend's shares its driver is asked for before the change."""


class ExitVerbs(Verbs):
    """Forgetting shares, snapshots and share servers, and all of a backend; renaming a backend."""

    _config: Config
    _scheduler: Scheduler
    _entity_client: EntityClient

    @abstractmethod
    async def ready(self) -> None:
        """Return once commands can be routed."""

    async def _stats_of(self, backend: str) -> Stats:
        raise NotImplementedError

    # -- forgetting ------------------------------------------------------------------------------
    async def forget_share(
        self,
        context: Context,
        share_id: str,
        reason: str,
        *,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Forget a share with its rules and snapshots, whatever its status; its driver is not called."""
        command = build(ForgetShare, {"reason": reason})
        return await self._ask_share(context, share_id, command, wait, command_id)

    async def forget_snapshot(
        self,
        context: Context,
        snapshot_id: str,
        reason: str,
        *,
        share_id: str | None = None,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Forget a snapshot, whatever its status; its driver is not called."""
        request, kind = context_of(context), "snapshot"
        address = await self._address(share_id, "snapshot_share", snapshot_id, kind, request)
        command = build(ForgetSnapshot, {"snapshot_id": snapshot_id, "reason": reason})
        return await self._ask(request, address, command, wait, command_id)

    async def forget_share_server(
        self,
        context: Context,
        share_server: Any,
        reason: str,
        *,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Forget a share server without shares; its addresses are free again, its driver is not called."""
        address = f"{SERVER}{server_id_of(share_server)}"
        command = build(ForgetServer, {"reason": reason})
        return await self._ask(context_of(context), address, command, wait, command_id)

    async def forget_backend(self, context: Context, backend: str, reason: str) -> dict[str, Any]:
        """Forget all shares and share servers of a backend that is not configured any more.

        Returns the ids of the `shares` and `servers`, and the errors of those that `failed`, by id.
        Raises `Refused` while the backend is configured, and `NotFound` for one that never was.
        """
        permit("forget_backend", context)
        word("backend", backend)
        await self.ready()
        command, request = build(ForgetShare, {"reason": reason}), context_of(context)
        assert isinstance(command, ForgetShare)
        self._require_gone(backend, "forgotten")
        contents = self._contents()
        await self._require_known(backend, contents)
        handled = await contents.forget(backend, command.reason, request)
        await self._scheduler.ledger.read()
        return handled.document()

    # -- renaming --------------------------------------------------------------------------------
    async def rename_backend(self, context: Context, old: str, new: str) -> dict[str, Any]:
        """Record that the backend *old* is called *new* now; all that is on it belongs to *new*.

        Returns the ids of the `shares`, `servers` and `networks`, and the errors of those that `failed`.
        Raises `ConfigError` if *new* is not configured, `NotFound` if *old* never was, and `Refused` while
        *old* is configured or if *new* is not the same storage. It may be repeated.
        """
        permit("rename_backend", context)
        word("old", old)
        word("new", new)
        await self.ready()
        request = context_of(context)
        if new not in self._config.backends:
            configured = ", ".join(self._config.backends)
            raise ConfigError(f"{not_configured(new)}; there are: {configured}", field="new")
        self._require_gone(old, "renamed")
        contents = self._contents()
        state = await self._require_known(old, contents)
        await self._require_same_storage(state, old, new, contents)
        command = build(RenameBackend, {"backend": old, "new": new})
        await self._entity_client.tell(f"backend:{old}", command, request)
        handled = await contents.rename(old, new, request)
        await self._scheduler.ledger.read()
        return handled.document()

    def _contents(self) -> BackendContents:
        return BackendContents(self._catalog, self._entity_client)

    def _require_gone(self, backend: str, participle: str) -> None:
        """Raise `Refused` while *backend* is configured: calls of its driver could be under way."""
        if backend in self._config.backends:
            text = f"backend {backend!r} is configured: remove it from the configuration and reload"
            raise Refused(f"{text} before it is {participle}", field="backend", value=backend)

    async def _require_known(self, backend: str, contents: BackendContents) -> BackendState:
        """The recorded state of *backend*; raises `NotFound` if nothing is known of it."""
        state: BackendState | None = await self._catalog.ask("entity", address=f"backend:{backend}")
        if state is not None:
            return state
        async for _ in contents.shares(backend):
            return BackendState(id=backend)
        raise NotFound(f"there is no backend {backend!r}", field="backend", value=backend)

    async def _require_same_storage(
        self, state: BackendState, old: str, new: str, contents: BackendContents
    ) -> None:
        """Raise `Refused` if *new* reports another storage, or its driver misses shares of *old*."""
        shares = [share async for share in contents.shares(old)]
        await self._scheduler.wait_for_backends([new])
        report = self._scheduler.backend_reports.latest(new)
        hosts = {renamed_host(share.host, old, new) for share in shares}
        capabilities = None if report is None else report.capabilities
        require_same_storage(state.capabilities, capabilities, hosts, new)
        present = [s for s in shares if s.status == "available" and s.share_network_id is None]
        moved = [s.replace(host=renamed_host(s.host, old, new)) for s in present[:MAX_PROBED]]
        await self._require_present(moved, new)

    async def _require_present(self, shares: list[Share], new: str) -> None:
        missing = await (await self._stats_of(new)).missing(shares) if shares else []
        if missing:
            text = f"backend {new!r} does not have {len(missing)} of {len(shares)} shares"
            raise Refused(
                f"{text}, such as {missing[0]}: it is another storage; nothing was renamed"
                " (shares that are lost can be forgotten first)",
                field="new",
                value=new,
            )
