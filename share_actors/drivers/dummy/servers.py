"""Share servers of the driver `dummy`."""

from __future__ import annotations

from typing import Any

from share_actors.drivers.base import DriverError, ShareServerSetUpFailed, TransientError
from share_actors.drivers.dummy.base import DummyBase
from share_actors.drivers.fence import TOKEN, Overtaken, attempt_context
from share_actors.values import RequestContext


class DummyServers(DummyBase):
    """The share server methods of `DummyDriver`."""

    def get_network_allocations_number(self) -> int:
        """The option `addresses`."""
        return self._options.addresses

    def allocate_network(
        self,
        context: RequestContext,
        share_server: Any,
        share_network: Any,
        count: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Record the addresses of the share server."""
        server_id: str = share_server["id"]
        with self._changing("allocate_network", context, server_id):
            if self._backend is not None:
                addresses = list(share_server["network_allocations"])
                self._backend.record_server("networks", server_id, addresses=addresses)

    def deallocate_network(self, context: RequestContext, share_server_id: str) -> None:
        """Remove the record of the addresses."""
        with self._changing("deallocate_network", context, share_server_id):
            if self._backend is not None:
                self._backend.drop_server("networks", share_server_id)

    def setup_server(
        self, network_info: Any, metadata: Any = None, **kwargs: Any
    ) -> dict[str, str]:
        """Record the server; returns its id and a password. A failure has the details of a partial server."""
        server_id: str = network_info["server_id"]
        try:
            with self._changing("setup_server", attempt_context(metadata), server_id):
                self._record_server(server_id, network_info)
        except (TransientError, Overtaken):
            raise
        except DriverError as error:
            raise ShareServerSetUpFailed(str(error), {"half": server_id}) from None
        return {"dummy_server": server_id, "admin_password": f"secret of {server_id}"}

    def teardown_server(
        self, server_details: Any, security_services: Any = None, **kwargs: Any
    ) -> None:
        """Delete the share server; raises `DriverError` while it has shares."""
        server_id: str = server_details["server_id"]
        with self._changing("teardown_server", attempt_context(server_details, TOKEN), server_id):
            if self._backend is not None:
                shares = self._backend.shares()
                share_ids = [i for i in shares if shares[i].get("server") == server_id]
                if share_ids:
                    raise DriverError(
                        f"share server {server_id} has shares: {', '.join(share_ids)}"
                    )
                self._backend.drop_server("servers", server_id)

    def _record_server(self, server_id: str, network_info: Any) -> None:
        if self._backend is not None:
            addresses = list(network_info["network_allocations"])
            services = [service["type"] for service in network_info["security_services"]]
            self._backend.record_server(
                "servers", server_id, addresses=addresses, services=services
            )
