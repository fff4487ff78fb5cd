"""A snapshot, and a driver whose copies can be interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from share_actors.drivers.local import LocalDriver
from share_actors.values import Share, Snapshot
from tests.drivers.conftest import CONTEXT, SHARE

SNAPSHOT = Snapshot(id="x1", share_id=SHARE.id)
COPY = Share(id="s2", size=1)


class CallbackDriver(LocalDriver):
    """A driver that calls `on_progress` during its copies."""

    on_progress: Callable[[int, int], None] = staticmethod(lambda done, total: None)

    def progress(self, what: str, done: int, total: int) -> None:
        type(self).on_progress(done, total)


@pytest.fixture
def with_callback(
    driver: LocalDriver, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., CallbackDriver]:
    def make(on_progress: Callable[[int, int], None]) -> CallbackDriver:
        monkeypatch.setattr(CallbackDriver, "on_progress", staticmethod(on_progress))
        return CallbackDriver(configuration=driver.configuration, backend_name="here")

    return make


def take_snapshot(driver: LocalDriver) -> Path:
    return Path(driver.create_snapshot(CONTEXT, SNAPSHOT))
