"""Backends that would use the same things of a machine are refused, with both names and the field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from share_actors.actors.effects.separation import check_apart
from share_actors.config import BackendSettings, Config
from share_actors.drivers.namespaces import default_prefix
from share_actors.errors import ConfigError
from share_actors.testing import sync_system
from tests.command_tree import invoke


def servers(root: str, device: str, **more: Any) -> BackendSettings:
    options = {"root": root, "device": device, **more}
    return BackendSettings(
        driver="btrfs-servers", driver_handles_share_servers=True, options=options
    )


def exporting(root: str, device: str, **more: Any) -> BackendSettings:
    options = {"root": root, "device": device, **more}
    return BackendSettings(driver="btrfs", options=options)


PAIRS = {
    "prefix": (
        servers("/r/1", "/d/1", prefix="sablue"),
        servers("/r/2", "/d/2", prefix="sablue"),
        "uses prefix sablue",
    ),
    "device": (
        servers("/r/1", "/d/1"),
        exporting("/r/2", "/d/1"),
        "uses device /d/1",
    ),
    "root": (
        servers("/r/1", "/d/1"),
        exporting("/r/1/servers", "/d/2"),
        "uses directory /r/1/servers",
    ),
    "nfs_port": (
        exporting("/r/1", "/d/1"),
        exporting("/r/2", "/d/2"),
        "uses port 2049 at 127.0.0.1",
    ),
}


@pytest.mark.parametrize("option", PAIRS)
def test_two_backends_that_are_not_apart_are_refused_by_name_and_field(option: str) -> None:
    first, second, text = PAIRS[option]

    with pytest.raises(ConfigError, match=text) as caught:
        check_apart({"one": first, "two": second})

    assert caught.value.field == f"backends.two.options.{option}"
    assert "backend 'two'" in caught.value.message
    assert "'one' (backends.one.options." in caught.value.message


def test_an_explicit_prefix_that_is_the_default_of_another_backend_is_refused() -> None:
    prefix = default_prefix(Path("/r/1"))

    with pytest.raises(ConfigError, match=f"uses prefix {prefix}"):
        check_apart({"one": servers("/r/1", "/d/1"), "two": servers("/r/2", "/d/2", prefix=prefix)})


def test_the_port_of_a_further_nfs_server_is_refused_to_another_backend(tmp_path: Path) -> None:
    (tmp_path / "nfs-shares" / "2").mkdir(parents=True)  # its second server has had an export
    one = exporting(str(tmp_path), "/d/1")

    with pytest.raises(ConfigError, match=r"uses port 2050 at .*nfs_port \(NFS server 2\)"):
        check_apart({"one": one, "two": exporting("/r/2", "/d/2", nfs_port=2050)})


def test_backends_of_two_nodes_may_use_the_same_names() -> None:
    one, two = (exporting("/r/1", "/d/1").model_copy(update={"node": n}) for n in ("a", "b"))

    check_apart({"one": one, "two": two})
    with pytest.raises(ConfigError):
        check_apart({"one": one, "two": two.model_copy(update={"node": None})})


def test_backends_with_ports_or_addresses_of_their_own_are_apart() -> None:
    others = {
        "port": exporting("/r/2", "/d/2", nfs_port=2050),
        "address": exporting("/r/3", "/d/3", address="127.0.0.2"),
        "namespace": exporting("/r/4", "/d/4", network_namespace="blue"),
    }
    check_apart({"one": exporting("/r/1", "/d/1"), **others})


SITE = """
home = "{home}"

[backends.one]
driver = "local"
options.root = "{root}"

[backends.two]
driver = "local"
options.root = "{root}/inside"
"""


def test_a_configuration_whose_backends_are_not_apart_is_refused_by_config_check_and_up(
    tmp_path: Path,
) -> None:
    file = tmp_path / "site.toml"
    file.write_text(SITE.format(home=tmp_path / "home", root=tmp_path / "data"))

    for command in (["config", "check"], ["up"]):
        result = invoke(["--config", str(file), *command])
        assert result.exit_code != 0
        assert "backends.two.options.root: backend 'two' uses directory" in result.stderr
    assert not (tmp_path / "home").exists()


def test_a_reload_that_adds_a_backend_on_the_directory_of_another_changes_nothing(
    tmp_path: Path,
) -> None:
    one = BackendSettings(driver="local", options={"root": str(tmp_path / "data")})
    with sync_system(Config(home=tmp_path / "home", backends={"one": one}), durable=True) as system:
        both = system.config.model_copy(update={"backends": {"one": one, "two": one}})

        with pytest.raises(ConfigError, match=r"'two' uses directory"):
            system.backends.reload(both)

        assert set(system.backends.stats()) == {"one"}
