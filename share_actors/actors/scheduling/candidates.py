"""The backends that a share may go to, as far as the configuration determines it. Pure.

A backend that has not reported yet may still fit, unless its own settings exclude it.
"""

from __future__ import annotations

from collections.abc import Mapping

from share_actors.config import BackendSettings, SchedulerSettings
from share_actors.scheduling.request import RequestSpec
from share_actors.values import PlacementRequest


def candidates(spec: RequestSpec, backends: Mapping[str, BackendSettings]) -> list[str]:
    """The names of the *backends* that *spec* may go to, whatever they report."""
    return [name for name, settings in backends.items() if _may_fit(spec, name, settings)]


def _may_fit(spec: RequestSpec, name: str, settings: BackendSettings) -> bool:
    if spec.requested_host is not None:
        return spec.requested_host.partition("#")[0] == name
    hosts = {*spec.same_host.values(), name if spec.snapshot_host is None else spec.snapshot_host}
    zones = {spec.availability_zone, settings.availability_zone} - {None}
    modes = {spec.needs_share_server, settings.driver_handles_share_servers}
    if spec.share_type is not None and spec.share_type.handles_servers is not None:
        modes.add(spec.share_type.handles_servers)
    on_hosts = all(host.partition("#")[0] == name for host in hosts)
    return on_hosts and len(zones) <= 1 and len(modes) == 1


def with_type(request: PlacementRequest, settings: SchedulerSettings) -> PlacementRequest:
    """*request* with the default share type, if it names none and creates from no snapshot."""
    if request.share_type or request.snapshot_id is not None:
        return request
    return request._replace(share_type=settings.default_share_type)
