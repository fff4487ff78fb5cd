"""Finding drivers by name, and checking their options."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from share_actors.drivers import (
    DriverOptions,
    ShareDriver,
    known_drivers,
    load_driver,
    make_driver,
    registry,
)
from share_actors.drivers.dummy import DummyDriver
from share_actors.drivers.local import LocalDriver
from share_actors.errors import ConfigError


class ThirdPartyOptions(DriverOptions):
    password: SecretStr
    port: int = 22


class ThirdPartyDriver(ShareDriver):
    Options = ThirdPartyOptions


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that brings drivers, as pip would install it."""
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


def test_the_drivers_of_this_package_are_known() -> None:
    assert load_driver("local") is LocalDriver
    assert load_driver("dummy") is DummyDriver
    assert {"dummy", "local"} <= set(known_drivers())


def test_an_unknown_driver_is_told_with_those_there_are() -> None:
    with pytest.raises(
        ConfigError, match="driver 'lokal' is not known; there are: dummy, local"
    ) as e:
        make_driver("fast", "lokal", {})

    assert (e.value.field, e.value.value) == ("backends.fast.driver", "lokal")


@pytest.mark.usefixtures("installed")
def test_another_package_can_bring_a_driver() -> None:
    made = make_driver("theirs", "third", {"password": "s3cret"})

    assert type(made).__name__ == "ThirdPartyDriver"
    assert made.backend_name == "theirs"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("broken", "cannot be imported"),
        ("path", "is no ShareDriver"),
        ("dummy", "is brought twice"),
    ],
)
def test_a_driver_that_cannot_be_used_is_told(name: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
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
def test_a_bad_option_is_named_with_its_value(
    options: dict[str, object], field: str, value: object
) -> None:
    with pytest.raises(ConfigError, match=field) as e:
        make_driver("b", "local", options)

    assert (e.value.field, e.value.value) == (field, value)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    "secret", [{"password": ["s3cret"]}, {"pasword": "s3cret", "password": "x"}]
)
def test_a_bad_option_does_not_tell_a_secret(secret: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as e:
        make_driver("b", "third", secret)

    assert "s3cret" not in str(e.value)
    assert "s3cret" not in str(e.value.value)


@pytest.mark.parametrize(
    ("driver", "mode", "said"),
    [
        ("local", True, "handles no share servers"),
        ("local-servers", False, "handles share servers always"),
    ],
)
def test_a_driver_is_not_made_in_a_mode_that_it_does_not_have(
    driver: str, mode: bool, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=rf"backends\.b\.driver_handles_share_servers: .*{said}"):
        make_driver("b", driver, {"root": str(tmp_path)}, handles_servers=mode)
