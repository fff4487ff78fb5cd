"""The driver `local` as processes of other users see it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from share_actors.drivers import ShareDriver, make_driver
from share_actors.testing import ClientContract, Visit
from share_actors.testing.visits import Mount
from share_actors.values import AccessType, ExportLocation
from tests.drivers.local_visits import visit_as
from tests.storage.visiting import visits


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Opens the directory of a share as a user, given by number."""
    with visits() as made:

        def visit(export: ExportLocation, who: str) -> Visit:
            return made.add(partial(visit_as, int(who), export))

        yield visit


@pytest.fixture
def passable(short_path: Path) -> Path:
    """A directory that every user can pass through."""
    if os.geteuid():
        pytest.skip("only root can run processes of other users")
    short_path.chmod(0o711)
    return short_path


class LocalClients:
    """What the driver `local` can do for its clients."""

    access_type: ClassVar[AccessType] = "user"
    clients = ("1001", "1002")
    most_rules = 200  # a block of the filesystem has room for about 250 entries
    keeps_open_files = "the kernel checks access to a file when it is opened"
    unlimited = "directories have no size limit"


@pytest.mark.usefixtures("keeps_acls")
class TestLocalClients(LocalClients, ClientContract):
    @pytest.fixture
    def driver(self, passable: Path) -> ShareDriver:
        return make_driver("here", "local", {"root": str(passable / "root")})

    @pytest.fixture
    def visit(self, mount: Mount) -> Mount:
        return mount
