"""What metrics and traces require of this machine, for `share-actors doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from share_actors.config import Config
from share_actors.drivers import Requirement


def monitoring_needs(config: Config, *, has_file: bool) -> list[Requirement]:
    """The packages that the configured metrics and traces need; without *has_file*, those for all of it.

    A package for what is not configured is not required, and is listed if it is missing.
    """
    from share_actors.observability import exporter, tracing  # noqa: PLC0415 - as config

    no_traces = tracing.missing_packages()
    no_metrics = [] if find_spec("prometheus_client") else ["prometheus_client"]
    found = (
        _needed("metrics", "metrics.address", config.metrics.address, no_metrics, exporter.INSTALL),
        _needed("traces", "traces.endpoint", config.traces.endpoint, no_traces, tracing.INSTALL),
    )
    return [need for need in found if need.required or not (need.met or has_file)]


def _needed(
    extra: str, key: str, configured: str | None, missing: Sequence[str], install: str
) -> Requirement:
    return Requirement(
        what=f"packages for {extra}",
        why=f"for `{key}`",
        met=not missing,
        required=configured is not None,
        found=f"{' and '.join(missing)} missing" if missing else "installed",
        mend=install if missing else "",
    )
