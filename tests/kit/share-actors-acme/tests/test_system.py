"""The driver in a whole system, which runs in the test's process."""

from __future__ import annotations

from pathlib import Path

import pytest
from share_actors import Config, ConfigError
from share_actors.drivers import make_driver
from share_actors.testing import sync_system


def config(root: Path) -> Config:
    """A system with one backend."""
    backend = {"driver": "acme", "options": {"root": str(root)}}
    return Config(backends={"shelf": backend})


def test_a_share_lives_from_its_creation_to_its_deletion(tmp_path: Path) -> None:
    with sync_system(config(tmp_path / "root")) as system:
        share = system.create_share(size=1, name="first")
        share.allow_access("alice")
        path = Path(share.export_locations[0])
        assert path.is_dir()

        assert share.extend(2).size == 2
        share.delete()
        assert not path.exists()


def test_a_share_outlives_the_process_that_serves_it(tmp_path: Path) -> None:
    with sync_system(config(tmp_path / "root")) as system:
        share = system.create_share(size=1, name="first")

        system.kill_host_of(share.id)

        assert share.extend(2).size == 2


def test_a_wrong_option_is_refused_with_its_name() -> None:
    with pytest.raises(ConfigError, match="backends.shelf.options.root: must be an absolute path"):
        make_driver("shelf", "acme", {"root": "shares"})
