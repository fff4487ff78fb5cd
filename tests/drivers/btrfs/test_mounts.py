"""The table of mounts of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from share_actors.drivers.filesystem.mounts import mount, mount_at, unmount


@pytest.mark.usefixtures("make_driver")  # skipped where nothing can be mounted
@pytest.mark.parametrize("name", ["plain", "with space", "tab\there", "back\\slash"])
def test_what_is_mounted_is_found_whatever_its_path_is(tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    place.mkdir()
    mount("none", place, "tmpfs")
    try:
        found = mount_at(place)
        assert found is not None
        assert (found.path, found.kind) == (place.resolve(), "tmpfs")
    finally:
        unmount(place)
    assert mount_at(place) is None
