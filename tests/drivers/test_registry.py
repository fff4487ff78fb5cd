"""Finding drivers by name, and checking their options."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from share_actors.drivers import (
    DriverOptions,
    known_drivers,
    load_driver,
    make_driver,
    registry,
)
from share_actors.drivers.dummy import DummyDriver
from share_actors.drivers.local import LocalDriver
from share_actors.errors import ConfigError
from tests.drivers.whole import WholeDriver


class ThirdPartyOptions(DriverOptions):
    password: SecretStr
    port: int = 22


class ThirdPartyDriver(WholeDriver):
    Options = ThirdPartyOptions


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package that provides drivers."""
    entry_points = tmp_path / "third_party-1.0.dist-info" / "entry_points.txt"
    entry_points.parent.mkdir()
    entry_points.write_text(
        f"[{registry.GROUP}]\n"
        f"third = {__name__}:ThirdPartyDriver\n"
        "broken = no_such_module:Driver\n"
        "path = pathlib:Path\n"
        "dummy = elsewhere:DummyDriver\n"
    )
    (entry_points.parent / "METADATA").write_text("Name: third-party\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_the_drivers_of_this_package_are_registered() -> None:
    assert load_driver("local") is LocalDriver
    assert load_driver("dummy") is DummyDriver
    assert {"dummy", "local"} <= set(known_drivers())


def test_the_error_for_an_unknown_driver_lists_the_available_drivers() -> None:
    with pytest.raises(
        ConfigError,
        match="driver 'lokal' is not installed; available: btrfs, btrfs-servers, dummy, local",
    ) as e:
        make_driver("fast", "lokal", {})

    assert (e.value.field, e.value.value) == ("backends.fast.driver", "lokal")


@pytest.mark.usefixtures("installed")
def test_another_package_can_provide_a_driver() -> None:
    driver = make_driver("theirs", "third", {"password": "s3cret"})

    assert type(driver).__name__ == "ThirdPartyDriver"
    assert driver.backend_name == "theirs"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("broken", "cannot be imported"),
        ("path", "is not a ShareDriver"),
        ("dummy", "is provided by several packages"),
    ],
)
def test_an_unusable_driver_is_a_config_error(name: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        load_driver(name)


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        ({}, "backends.b.options.root", None),
        ({"root": "shares"}, "backends.b.options.root", "shares"),
        ({"root": "/a/../b"}, "backends.b.options.root", "/a/../b"),
        ({"root": "/a", "rot": 1}, "backends.b.options.rot", None),
        ({"root": "/a", "reserved_percentage": 101}, "backends.b.options.reserved_percentage", 101),
    ],
)
def test_an_invalid_option_is_reported_with_its_value(
    options: dict[str, object], field: str, value: object
) -> None:
    with pytest.raises(ConfigError, match=field) as e:
        make_driver("b", "local", options)

    assert (e.value.field, e.value.value) == (field, value)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    "secret", [{"password": ["s3cret"]}, {"pasword": "s3cret", "password": "x"}]
)
def test_the_error_for_an_invalid_option_masks_secrets(secret: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as e:
        make_driver("b", "third", secret)

    assert "s3cret" not in str(e.value)
    assert "s3cret" not in str(e.value.value)


@pytest.mark.parametrize(
    ("driver", "mode", "reason"),
    [
        ("local", True, "cannot handle share servers"),
        ("local-servers", False, "requires share servers"),
    ],
)
def test_a_driver_is_not_created_in_an_unsupported_mode(
    driver: str, mode: bool, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(
        ConfigError, match=rf"backends\.b\.driver_handles_share_servers: .*{reason}"
    ):
        make_driver("b", driver, {"root": str(tmp_path)}, handles_servers=mode)
