"""The backends that a share may go to, as far as the configuration determines it. Pure.

A backend that has not reported yet may still fit, unless its own settings exclude it.
"""

from __future__ import annotations

from collections.abc import Mapping

from share_actors.config import BackendSettings
from share_actors.scheduling.request import RequestSpec


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
