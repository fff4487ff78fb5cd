"""The least that a driver must have, as the base of drivers in tests about something else."""

from __future__ import annotations

from typing import Any

from share_actors.drivers import ShareDriver
from share_actors.drivers.probing import Exports
from share_actors.values import ExportLocation, RequestContext, Share


class WholeDriver(ShareDriver):
    """Creates and deletes nothing, and says that it did."""

    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        return [ExportLocation(path=f"whole:/{share.id}")]

    def delete_share(self, context: RequestContext, share: Share, share_server: Any = None) -> None:
        pass
