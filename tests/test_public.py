"""What `import share_actors` and `share_actors.testing` give, and that neither imports much to give it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import share_actors
from share_actors import config, testing
from share_actors.testing.driver_contract import DriverContract
from share_actors.testing.server_contract import ServerContract


@pytest.mark.parametrize("name", share_actors.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(share_actors, name).__name__ == name


def test_the_tables_of_the_configuration_are_public() -> None:
    made = share_actors.Config(log=share_actors.LogSettings(compress=True))

    assert made.log.compress
    assert share_actors.HostingSettings is config.HostingSettings
    assert share_actors.BackendSettings is config.BackendSettings


def test_the_drivers_contract_is_public() -> None:
    assert testing.DriverContract is DriverContract
    assert testing.ServerContract is ServerContract
    assert set(testing.__all__) == {"DriverContract", "InMemoryLog", "ServerContract", "Spec"}
    for module in (share_actors, testing):
        with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
            _ = module.Nothing


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        ("import share_actors; share_actors.Config", "ray"),
        ("from share_actors.testing import Spec", "pytest"),
    ],
)
def test_what_is_not_needed_is_not_imported(program: str, absent: str) -> None:
    check = f"{program}; import sys; assert {absent!r} not in sys.modules"

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
