"""Logs whose personal data are sealed, in SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from share_actors.config import Config, ErasureSettings, LogSettings
from share_actors.events.catalog import Catalog
from share_actors.events.erasing import Eraser, Plan, envelope_of
from share_actors.events.log import Log, open_configured
from share_actors.values import RequestContext
from tests.events.conftest import postgres_server, postgres_settings

__all__ = ["postgres_server", "postgres_settings"]
ALL = ("user", "project", "client", "text")
SealedConfig = Callable[..., Config]


class Site:
    """A log with its catalog and key store; `open` opens it as another process would."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._opened: list[Log | Catalog] = []
        self.log = self.open()

    def open(self, **erasure: Any) -> Log:
        settings = self.config.erasure.model_copy(update=erasure)
        log = open_configured(self.config.model_copy(update={"erasure": settings}))
        self._opened.insert(0, log)
        return log

    def catalog(self, log: Log | None = None) -> Catalog:
        catalog = Catalog.open(log or self.log, self.config.log, self.config.catalog_file)
        self._opened.insert(0, catalog)
        return catalog

    def eraser(self) -> Eraser:
        return Eraser(self.log, self.catalog(), pause=lambda _: None)

    def forget(self, name: str) -> Plan:
        eraser = self.eraser()
        plan = eraser.plan(name)
        assert plan.report.refused == ()
        eraser.destroy(plan)
        asyncio.run(eraser.record(plan, envelope_of(RequestContext(user_id="officer"))))
        assert self.catalog().parked() == ()
        return plan

    def close(self) -> None:
        for opened in self._opened:
            opened.close()
        self._opened = []


@pytest.fixture(autouse=True)
def _no_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SHARE_ACTORS_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def sealed_config(tmp_path: Path) -> SealedConfig:
    def config(log: LogSettings | None = None, seal: tuple[str, ...] = ALL) -> Config:
        home = tmp_path / "home"
        backends = {"dummy": {"driver": "dummy"}}
        return Config(
            home=home,
            log=log or LogSettings(),
            erasure=ErasureSettings(seal=seal),
            backends=backends,
        )

    return config


@pytest.fixture
def site(sealed_config: SealedConfig) -> Iterator[Site]:
    opened = Site(sealed_config())
    yield opened
    opened.close()


@pytest.fixture
def postgres_site(sealed_config: SealedConfig, postgres_settings: LogSettings) -> Iterator[Site]:
    opened = Site(sealed_config(postgres_settings))
    yield opened
    opened.close()


@pytest.fixture(params=["site", "postgres_site"])
def any_site(request: pytest.FixtureRequest) -> Site:
    site: Site = request.getfixturevalue(request.param)
    return site
