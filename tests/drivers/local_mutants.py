"""`ClientContract` on mutants of the driver `local`; `test_local_mutants.py` runs what must see each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from share_actors.drivers import ShareDriver
from share_actors.drivers.base import Exports, RuleUpdates
from share_actors.drivers.local import LocalDriver, LocalOptions
from share_actors.drivers.local.layout import snapshot_name
from share_actors.testing import ClientContract
from share_actors.testing.visits import Mount
from share_actors.values import AccessRule, RequestContext, Share, Snapshot
from tests.drivers.test_local_clients import LocalClients, mount, passable
from tests.storage import mutants

__all__ = ["mount", "passable"]


class RulesOnFileOnly(mutants.RulesOnFileOnly, LocalDriver):
    """See `mutants`, as for the others without words of their own."""


class EmptiedListUnheard(mutants.EmptiedListUnheard, LocalDriver):
    """See `mutants`."""


class EmptyClones(mutants.EmptyClones, LocalDriver):
    """See `mutants`."""


class EmptySnapshots(LocalDriver):
    """Takes a snapshot without the files."""

    def create_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> str:
        name = snapshot_name(snapshot.share_id, snapshot.id)
        with self._layout.appearing("snapshots", name):
            return str(self._layout.path("snapshots", name))


class EveryoneLetIn(LocalDriver):
    """Creates shares that every user of the machine can enter."""

    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        exports = super().create_share(context, share)
        self._layout.path("shares", share.id).chmod(0o777)
        return exports


class Beneath(LocalDriver):
    """Serves another directory than that of the share, as beneath a filesystem that is not mounted."""

    @property
    def _beneath(self) -> LocalDriver:
        driver = LocalDriver(configuration=LocalOptions(root=self._options.root / "beneath"))
        driver.do_setup(RequestContext())
        return driver

    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        super().create_share(context, share)
        return self._beneath.create_share(context, share)

    def create_share_from_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> Exports:
        super().create_share_from_snapshot(context, share, snapshot)
        return self._beneath.create_share(context, share)

    def update_access(
        self,
        context: RequestContext,
        share: Share,
        access_rules: Sequence[AccessRule],
        add_rules: Sequence[AccessRule],
        delete_rules: Sequence[AccessRule],
        update_rules: Sequence[AccessRule] = (),
        share_server: Any = None,
    ) -> RuleUpdates:
        return self._beneath.update_access(context, share, access_rules, add_rules, delete_rules)


@pytest.mark.usefixtures("keeps_acls")
class MutantClients(LocalClients, ClientContract):
    """The contract on the mutant `mutant`."""

    mutant: ClassVar[type[LocalDriver]] = LocalDriver

    @pytest.fixture
    def driver(self, passable: Path) -> ShareDriver:
        options = LocalOptions(root=passable / "root")
        return self.mutant(configuration=options, backend_name="here")

    @pytest.fixture
    def visit(self, mount: Mount) -> Mount:
        return mount


class TestTrueDriver(MutantClients):
    """No mutant."""


class TestRulesOnFileOnly(MutantClients):
    mutant = RulesOnFileOnly


class TestEmptiedListUnheard(MutantClients):
    mutant = EmptiedListUnheard


class TestEmptyClones(MutantClients):
    mutant = EmptyClones


class TestEmptySnapshots(MutantClients):
    mutant = EmptySnapshots


class TestEveryoneLetIn(MutantClients):
    mutant = EveryoneLetIn


class TestBeneath(MutantClients):
    mutant = Beneath
