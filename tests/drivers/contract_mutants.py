"""Mutants of the driver `dummy`, each of which breaks a promise; `test_contract_mutants.py` runs them.

The classes `TestMUTANT` run the contract on them; `TestTrueDriver` and the like run it on no mutant.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from share_actors.drivers import DriverError, RefusedByBackend, ShareDriver, UnsupportedAccess
from share_actors.drivers.dummy import DummyDriver
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.drivers.probing import Exports, ProbeResult
from share_actors.drivers.rule_updates import RuleUpdates
from share_actors.testing import DriverContract, ServerContract
from share_actors.values import AccessRule, ExportLocation, RequestContext, Share, Snapshot

Rules = Sequence[AccessRule]


class Mutable(DummyDriver):
    """The driver `dummy`, with its state."""

    @property
    def state(self) -> DummyBackend:
        assert self._backend is not None
        return self._backend


class NoCallsAtOnce(Mutable):
    """Has an attribute that no system can use."""

    calls_at_once = 0


class HidesSnapshots(Mutable):
    """Reports that it cannot take snapshots."""

    def get_share_stats(self, refresh: bool = False) -> Any:
        return super().get_share_stats(refresh).replace(snapshot_support=False)


class OnePathForAll(Mutable):
    """Gives every share the same path."""

    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        super().create_share(context, share, share_server)
        return [ExportLocation(path="dummy:/all")]


class ForgetsAtSetUp(Mutable):
    """Empties the backend when it is set up."""

    def do_setup(self, context: RequestContext) -> None:
        super().do_setup(context)
        for share_id in self.state.shares():
            self.state.drop_share(share_id)


class PathOfAttempt(Mutable):
    """Gives a share another path with each attempt."""

    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        super().create_share(context, share, share_server)
        return [ExportLocation(path=f"dummy:/{share.id}/{context.attempt}")]


class DeletesOnce(Mutable):
    """Fails to delete what does not exist."""

    def delete_share(self, context: RequestContext, share: Share, share_server: Any = None) -> None:
        self.state.share(share.id)
        super().delete_share(context, share, share_server)


class MovesWhenEnsured(Mutable):
    """Gives a share another path when it is ensured."""

    def ensure_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        return [ExportLocation(path=f"dummy:/{uuid4()}")]


class GrowsOnce(Mutable):
    """Fails to extend a share to the size that it has."""

    def extend_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        if self.state.share(share.id)["size"] == new_size:
            raise DriverError("it has that size")
        super().extend_share(context, share, new_size, share_server)


class DeletesSnapshotsOnce(Mutable):
    """Fails to delete a snapshot that does not exist."""

    def delete_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> None:
        self.state.snapshot(snapshot.share_id, snapshot.id)
        super().delete_snapshot(context, snapshot, share_server)


class CopiesOnce(Mutable):
    """Fails to copy a snapshot to a share that exists."""

    def create_share_from_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> Exports:
        if share.id in self.state.shares():
            raise DriverError("it exists")
        return super().create_share_from_snapshot(context, share, snapshot, share_server)


class OpensWhenReverted(Mutable):
    """Loses the access rules when it reverts a share."""

    def revert_to_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> bool:
        self.state.change_share(share.id, rules={})
        return super().revert_to_snapshot(context, share, snapshot, share_server)


class RuleMutant(Mutable):
    """Changes the rules that it is given by `asked`."""

    def asked(self, share: Share, rules: Rules, denied: Rules) -> Rules:
        raise NotImplementedError

    def update_access(
        self,
        context: RequestContext,
        share: Share,
        access_rules: Rules,
        add_rules: Rules,
        delete_rules: Rules,
        update_rules: Rules = (),
        share_server: Any = None,
    ) -> RuleUpdates:
        rules = self.asked(share, access_rules, delete_rules)
        return super().update_access(context, share, rules, add_rules, delete_rules)


class DeniesOnce(RuleMutant):
    """Fails to deny a rule that is not applied."""

    def asked(self, share: Share, rules: Rules, denied: Rules) -> Rules:
        for rule in denied:
            if rule.id not in self.state.rules(share.id):
                raise DriverError(f"there is no rule {rule.id}")
        return rules


class AllOrNone(RuleMutant):
    """Applies no rule if there is one that it does not support."""

    def asked(self, share: Share, rules: Rules, denied: Rules) -> Rules:
        for rule in rules:
            if rule.access_type not in self.access_types:
                raise UnsupportedAccess(rule.access_type)
        return rules


class DeniesNothing(RuleMutant):
    """Keeps the rules that it says it has denied."""

    def asked(self, share: Share, rules: Rules, denied: Rules) -> Rules:
        return [*rules, *denied]


class OneAtATime(Mutable):
    """Mixes up shares that are created at the same time."""

    together, last = threading.Barrier(8), ""

    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        type(self).last = share.id
        self.together.wait(timeout=60)
        return [ExportLocation(path=f"dummy:/{self.last}")]


class HalfMade(Mutable):
    """Creates a share in two steps, and refuses to go on after the first one."""

    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        begun = self.state.directory / f"begun-{share.id}"
        if begun.exists() and share.id not in self.state.shares():
            raise DriverError("its creation was interrupted")
        begun.touch()
        return super().create_share(context, share, share_server)


class LeavesFiles(Mutable):
    """Uses a file that only a creation that ends removes."""

    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        working = self.state.directory / f"working-{share.id}"
        working.touch()
        exports = super().create_share(context, share, share_server)
        working.unlink()
        return exports


class ForgetsTokens(Mutable):
    """Creates shares without a look at the attempt."""

    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        return super().create_share(context.replace(token=""), share, share_server)


class ExportsSnapshotsToNobody(Mutable):
    """Has export locations for snapshots without rules."""

    def snapshot_export_locations(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> Sequence[ExportLocation]:
        return [ExportLocation(path=f"dummy:/{snapshot.id}")]


class RefusesToShrink(Mutable):
    """The driver `dummy` as one that knows what is used."""

    def shrink_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        if new_size == 1:
            raise RefusedByBackend("more is used")
        super().shrink_share(context, share, new_size, share_server)


class ProbeMutant(Mutable):
    """Changes what a probe has found by `told`."""

    def told(self, share: Share, found: ProbeResult) -> ProbeResult:
        raise NotImplementedError

    def probe_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> ProbeResult | None:
        found = super().probe_share(context, share, share_server)
        return found and self.told(share, found)


class AlwaysWhole(ProbeMutant):
    """Reports every share as complete."""

    def told(self, share: Share, found: ProbeResult) -> ProbeResult:
        return found.replace(state="whole")


class SeesNoSnapshots(ProbeMutant):
    """Reports no snapshot."""

    def told(self, share: Share, found: ProbeResult) -> ProbeResult:
        return found.replace(snapshots={})


class SeesNoRules(ProbeMutant):
    """Reports no access rule."""

    def told(self, share: Share, found: ProbeResult) -> ProbeResult:
        return found.replace(access=frozenset())


class CreatesByProbe(ProbeMutant):
    """Creates what it does not find."""

    def told(self, share: Share, found: ProbeResult) -> ProbeResult:
        self.state.add_share(share.id, share.size)
        return found


class ListsNothing(Mutable):
    """Lists nothing."""

    def list_backend(self, context: RequestContext) -> list[Any]:
        return []


class TidiesUp(Mutable):
    """Removes the files that are not its own."""

    def delete_share(self, context: RequestContext, share: Share, share_server: Any = None) -> None:
        super().delete_share(context, share, share_server)
        for path in (self.state.directory / "shares").glob("*~"):
            path.unlink()


class NamesNoDirectory(Mutable):
    """Names another directory each time as the one that it alone may use."""

    def exclusive_directories(self) -> dict[str, Path]:
        directory = self.state.directory / f"own-{uuid4()}"
        directory.mkdir(parents=True)
        return {"directory": directory}


class ForgetsRulesAtStart(Mutable):
    """Starts with all shares, and without their rules."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        start = self.start_backend

        def forgetful(context: RequestContext) -> None:
            start(context)
            for share_id in self.state.shares():
                self.state.change_share(share_id, rules={})

        self.start_backend = forgetful


class NewDetails(Mutable):
    """Gives a server other details with each set-up."""

    def setup_server(
        self, network_info: Any, metadata: Any = None, **kwargs: Any
    ) -> dict[str, str]:
        return {**super().setup_server(network_info, metadata), "dummy_server": str(uuid4())}


class TearsDownShares(Mutable):
    """Tears a server down with its shares."""

    def teardown_server(
        self, server_details: Any, security_services: Any = None, **kwargs: Any
    ) -> None:
        self.state.drop_server("servers", server_details["server_id"])


class ForgetsTokensOfServers(Mutable):
    """Sets servers up without a look at the attempt."""

    def setup_server(
        self, network_info: Any, metadata: Any = None, **kwargs: Any
    ) -> dict[str, str]:
        return super().setup_server(network_info, {**metadata, "token": ""})


# -- the contract on them ------------------------------------------------------------------------
class OfDummy:
    """A driver on an empty backend."""

    mutant: ClassVar[type[Mutable]] = Mutable
    options: ClassVar[Mapping[str, object]] = {}
    servers: ClassVar[bool] = False

    @pytest.fixture
    def driver(self, tmp_path: Path) -> ShareDriver:
        options = self.mutant.Options(directory=tmp_path / "state", **self.options)
        return self.mutant(self.servers, configuration=options, backend_name="mutant")


class TestTrueDriver(OfDummy, DriverContract):
    """No mutant."""


class TestTrueDriverWithADaemon(OfDummy, DriverContract):
    options: ClassVar[Mapping[str, object]] = {"daemon": True}


class TestTrueDriverWithServers(OfDummy, ServerContract):
    servers = True


class TestTrueDriverWithUse(OfDummy, DriverContract):
    mutant = RefusesToShrink

    def fill(self, driver: ShareDriver, share: Share, size: int) -> None:
        """Its use is made up."""


class TestShrinksAlways(OfDummy, DriverContract):
    def fill(self, driver: ShareDriver, share: Share, size: int) -> None:
        """Its use is made up, and it does not know that."""


def _contract_on(mutant: type[Mutable], base: type = TestTrueDriver) -> type:
    return type(f"Test{mutant.__name__}", (base,), {"mutant": mutant, "__module__": __name__})


_PLAIN = (
    *(NoCallsAtOnce, HidesSnapshots, OnePathForAll, ForgetsAtSetUp, PathOfAttempt, DeletesOnce),
    *(MovesWhenEnsured, GrowsOnce, DeletesSnapshotsOnce, CopiesOnce, OpensWhenReverted),
    *(DeniesOnce, AllOrNone, DeniesNothing, OneAtATime, HalfMade, LeavesFiles, ForgetsTokens),
    *(ExportsSnapshotsToNobody, AlwaysWhole, SeesNoSnapshots, SeesNoRules, CreatesByProbe),
    *(ListsNothing, TidiesUp, NamesNoDirectory),
)
globals().update({f"Test{mutant.__name__}": _contract_on(mutant) for mutant in _PLAIN})
TestForgetsRulesAtStart = _contract_on(ForgetsRulesAtStart, TestTrueDriverWithADaemon)
for _mutant in (NewDetails, TearsDownShares, ForgetsTokensOfServers):
    globals()[f"Test{_mutant.__name__}"] = _contract_on(_mutant, TestTrueDriverWithServers)
