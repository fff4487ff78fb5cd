"""Share servers in namespaces as NFS clients on their networks see them."""

from __future__ import annotations

import pytest

from share_actors.testing import ClientContract
from share_actors.testing.contracts.client.access import ClientAccessContract
from share_actors.testing.contracts.client.daemon import ClientDaemonContract
from share_actors.testing.contracts.client.network import ClientNetworkContract
from share_actors.testing.nfs.networks import CLIENTS, SERVER
from tests.storage.server_clients import ServerClients, site

__all__ = ["site"]


class TestClientsOfAServer(ServerClients, ClientAccessContract, ClientDaemonContract):
    """By version 4; the whole contract is a soak test."""


@pytest.mark.soak
class TestNfs4ClientsOfAServer(ServerClients, ClientContract):
    """By version 4."""


@pytest.mark.soak
class TestNfs3ClientsOfAServer(ServerClients, ClientContract):
    version = 3


@pytest.mark.soak
class TestIpv6ClientsOfAServer(ServerClients, ClientAccessContract, ClientNetworkContract):
    address = SERVER[1]
    clients = (CLIENTS[0][1], CLIENTS[1][1])
