"""An invalid configuration is refused with its field, and nothing starts."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from share_actors import client
from share_actors.client import ShareSystem
from share_actors.config import Config, build, load
from share_actors.errors import ConfigError, Unavailable
from tests.acceptance.refusals import refused, site, system
from tests.acceptance.systems import Site

__all__ = ["site", "system"]


def start_with(site: Site, **backend: Any) -> ShareSystem:
    changed = {"b": {"driver": "dummy", **backend}}
    return client.start(Config(namespace="never", home=site.home / "never", backends=changed))


@pytest.mark.parametrize(
    ("backend", "field", "value"),
    [
        ({"driver": "nfs"}, "backends.b.driver", "nfs"),
        ({"options": {"speed": 9}}, "backends.b.options.speed", None),
        ({"options": {"delay_s": -1}}, "backends.b.options.delay_s", -1),
        ({"driver": "local"}, "backends.b.options.root", None),
        ({"driver": "local", "options": {"root": "a/b"}}, "backends.b.options.root", "a/b"),
    ],
)
def test_an_unknown_driver_or_invalid_option_starts_nothing(
    site: Site, system: ShareSystem, backend: dict[str, Any], field: str, value: object
) -> None:
    refused(site, partial(start_with, site, **backend), ConfigError, field, value)

    assert not (site.home / "never").exists()
    with pytest.raises(Unavailable, match="no system runs in namespace 'never'"):
        client.connect(namespace="never")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"hosting": {"max_actors": 0}}, "hosting.max_actors"),
        ({"hosting": {"min_actors": 3, "max_actors": 2}}, "hosting"),
        ({"hosting": {"size": 3}}, "hosting.size"),
        ({"log": {"kind": "mysql"}}, "log.kind"),
        ({"backends": {}}, "backends"),
        ({"default_backend": "x"}, "default_backend"),
        ({"namespace": "a b"}, "namespace"),
        ({"speed": 1}, "speed"),
    ],
)
def test_an_invalid_configuration_is_refused_with_its_field(
    settings: dict[str, Any], field: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        build(settings)

    assert caught.value.field == field


def test_an_invalid_or_missing_configuration_file_is_refused(tmp_path: Any) -> None:
    (tmp_path / "bad.toml").write_text("namespace = [")

    for name in ("bad.toml", "missing.toml", "."):
        with pytest.raises(ConfigError, match=r"toml|directory") as caught:
            load(tmp_path / name)
        assert caught.value.field == "config"
