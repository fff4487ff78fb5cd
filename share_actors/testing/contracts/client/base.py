"""What a subclass of `ClientContract` defines, and the helpers of its parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import ClassVar
from uuid import uuid4

import pytest

from share_actors.drivers.base import DriverError, Exports, ShareDriver
from share_actors.testing.contracts.base import CONTEXT, ContractBase
from share_actors.testing.visits import Gone, Mount, Refused
from share_actors.values import AccessLevel, AccessRule, AccessType, ExportLocation, Share

OUT = (Refused, Gone)
"""How a client learns that it has no access: some protocols hide from it that the share exists."""
MIB, GIB = 1 << 20, 1 << 30


class ClientBase(ContractBase):
    """The fixtures and attributes that say how clients reach the shares of the driver under test."""

    access_type: ClassVar[AccessType] = "ip"
    """The type of the rules that let the clients in. Tests of networks need `ip`."""
    clients: ClassVar[tuple[str, str]] = ("192.0.2.1", "192.0.2.2")
    """Two clients, as rules name them (`access_to`); those of type `ip` in one /24 or /64."""
    ipv6_clients: ClassVar[tuple[str, str] | None] = None
    """Two IPv6 clients if the driver serves both families; None skips the test of both."""
    most_rules: ClassVar[int] = 500
    """How many rules one share is given. A smaller number is the limit of the backend."""
    keeps_open_files: ClassVar[str] = ""
    """Why a client that loses its access goes on with the files that it has open; empty if it does not."""
    unlimited: ClassVar[str] = ""
    """Why clients can write more than the size of the share; empty if they cannot."""

    @pytest.fixture
    def visit(self, driver: ShareDriver) -> Mount:
        """Mounts an export location as a client; a subclass must define it, and unmount at the end."""
        raise NotImplementedError("a subclass of ClientContract must define the fixture `visit`")

    @pytest.fixture
    def served(self, driver: ShareDriver, share: Share) -> Iterator[ServedShare]:
        """A share of 1 GiB that exists and has no rules; it is deleted at the end, with what fills it."""
        yield self.serve(driver, share, driver.create_share(CONTEXT, share))
        with suppress(DriverError):
            driver.delete_share(CONTEXT, share)

    def serve(self, driver: ShareDriver, share: Share, exports: Exports) -> ServedShare:
        """A share that the driver made, with its *exports*."""
        return ServedShare(driver, share, self.export_of(exports), self.access_type)

    def export_of(self, exports: Exports) -> ExportLocation:
        """The export location that clients mount: the preferred one, else the first."""
        return next((export for export in exports if export.preferred), exports[0])

    @property
    def one(self) -> str:
        """The first client."""
        return self.clients[0]

    @property
    def two(self) -> str:
        """The second client."""
        return self.clients[1]

    def network(self, wider: int = 0) -> str:
        """The /24 (IPv6: /64) that both clients are in, or a network that is *wider* bits larger."""
        if self.access_type != "ip":
            pytest.skip(f"rules of type {self.access_type} name no networks")
        length = 24 if "." in self.one else 64
        network = ip_network((self.one, length), strict=False)
        assert ip_address(self.two) in network, "the clients are not in one network"
        return str(network.supernet(wider))

    def needs_level(self, driver: ShareDriver, level: AccessLevel) -> None:
        """Skip the test if the driver has no rules of this level."""
        if level not in driver.access_levels:
            pytest.skip(f"the driver has no rules of the level {level}")

    def needs_revoked_files(self) -> None:
        """Skip the test if clients keep the files that they have open."""
        if self.keeps_open_files:
            pytest.skip(f"open files stay usable: {self.keeps_open_files}")

    def needs_limits(self) -> None:
        """Skip the test if clients can write more than the size of a share."""
        if self.unlimited:
            pytest.skip(f"sizes are not enforced: {self.unlimited}")


class ServedShare:
    """A share on the backend, with the rules that the test applied last."""

    def __init__(
        self, driver: ShareDriver, share: Share, export: ExportLocation, access_type: AccessType
    ) -> None:
        self.driver, self.share, self.export = driver, share, export
        self._access_type = access_type
        self._rules: list[AccessRule] = []

    def allow(self, *clients: tuple[str, AccessLevel]) -> None:
        """Let in exactly *clients*, each with its level; all their rules are new, in this order."""
        self.apply([self.rule(client, level) for client, level in clients])

    def rule(self, client: str, level: AccessLevel) -> AccessRule:
        """A new rule, which is not applied."""
        kind = self._access_type
        return AccessRule(id=str(uuid4()), access_type=kind, access_to=client, access_level=level)

    def apply(self, rules: Sequence[AccessRule]) -> None:
        """Apply exactly *rules*; AssertionError if the driver refuses one of them."""
        added = [rule for rule in rules if rule not in self._rules]
        removed = [rule for rule in self._rules if rule not in rules]
        failed = self.driver.update_access(CONTEXT, self.share, rules, added, removed)
        assert not failed, f"the driver refused rules: {failed}"
        self._rules = list(rules)

    def delete(self) -> None:
        """Delete the share, and with it its rules."""
        self.driver.delete_share(CONTEXT, self.share)
        self._rules = []
