"""Clients that mount their shares and write, each from a namespace on its share's network."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import uuid4

from share_actors.errors import ShareActorsError
from share_actors.events.share.access import AllowAccess
from share_actors.testing.nfs.client import NfsMount
from share_actors.testing.nfs.networks import CLIENTS, ClientNetwork
from share_actors.testing.visiting import ProcessVisit, spawned
from share_actors.testing.visits import VisitError
from share_actors.values import Share
from tests.faults.soak_clients import MAX_WAIT_S, ClientShare
from tests.faults.storage_soak import StorageClient

NFS_PORT, MOUNT_PORT = 2049, 20048
WHO = CLIENTS[0][0]
"""The address of the client in each network."""
PAUSE_S = 0.5


class MountingClient(StorageClient):
    """Sends requests for shares on share servers, and lets a client in that mounts, writes and reads.

    *clients* are the namespaces of the client `WHO` by the id of the share network.
    """

    def __init__(self, clients: Mapping[str, ClientNetwork], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._clients = clients
        self.mounts = 0
        """How many visits wrote and read."""

    def _verbs(self) -> list[Callable[[ClientShare], None]]:
        return [*super()._verbs(), self._mount, self._mount]

    def _placement(self) -> dict[str, Any]:
        return {"share_network_id": self._rng.choice(self._networks)}

    def _mount(self, share: ClientShare) -> None:
        """Let the client in, which must be able to write, and then not in any more."""
        view = self._seen(share)
        if view is None or view.status != "available" or not view.export_locations:
            return
        command = AllowAccess(access_id=uuid4().hex, access_type="ip", access_to=WHO)
        allow = partial(share.handle.allow_access, WHO, type="ip")
        rule = self._send("allow", share, allow, command)
        if rule is None:
            return
        share.rules.append(rule.id)
        if self._done:
            self._must_write(view)
        self._deny(share)  # what was only accepted too, since its repetition records nothing
        if self._done and self._is_let_in(view):
            self.stale.append(f"share {view.id} let {WHO} in after its rule was removed")

    def _seen(self, share: ClientShare) -> Share | None:
        with suppress(ShareActorsError):
            return share.handle.refresh().seen
        return None

    def _must_write(self, view: Share) -> None:
        """Repeat a visit until one succeeds: the server may be on its way up again."""
        deadline, reason = time.monotonic() + MAX_WAIT_S, ""
        while time.monotonic() < deadline:
            try:
                self._write(view)
            except (AssertionError, OSError, RuntimeError, VisitError) as error:
                reason = repr(error)
                time.sleep(PAUSE_S)
            else:
                self.mounts += 1
                return
        self.stale.append(f"share {view.id} cannot be used by {WHO}: {reason}")

    def _write(self, view: Share) -> None:
        visit, content = self._visit(view), uuid4().bytes
        try:
            visit.write("file", content)
            if (found := visit.read("file")) != content:
                self.stale.append(f"share {view.id} has {found!r}, not {content!r}")
        finally:
            visit.unmount()

    def _is_let_in(self, view: Share) -> bool:
        try:
            self._visit(view).unmount()
        except (AssertionError, OSError, RuntimeError, VisitError):
            return False
        return True

    def _visit(self, view: Share) -> ProcessVisit:
        network = self._clients[view.share_network_id or ""]
        mount = NfsMount(network, 4, NFS_PORT, MOUNT_PORT)
        return ProcessVisit(partial(mount, WHO, view.export_locations[0]), spawned)
