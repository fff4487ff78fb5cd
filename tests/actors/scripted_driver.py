"""A driver that plays a script, and what a share makes of the calls."""

import asyncio
from collections.abc import Sequence
from typing import Any

from share_actors.actors.effects.backends import BackendDrivers
from share_actors.actors.effects.share import ShareWork
from share_actors.config import BackendSettings
from share_actors.drivers.base import ShareDriver
from share_actors.events.decider import Command
from share_actors.events.share import ShareState
from share_actors.events.share.messages import CreateShare, ShareEffect
from share_actors.events.share.snapshot.lifecycle import Snapshots
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
