"""The error of a share that no pool fits: final, or to be asked again until every backend has reported."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from share_actors.actors.scheduling.candidates import candidates
from share_actors.actors.scheduling.pool_stats import BackendReports
from share_actors.config import BackendSettings
from share_actors.errors import (
    NOT_RECORDED,
    Busy,
    InvalidRequest,
    NoValidHost,
    ShareActorsError,
    Unavailable,
)
from share_actors.scheduling.request import RequestSpec
from share_actors.scheduling.weighing import no_valid_host
from share_actors.values import Placement

RETRY_S = 1.0
"""When to ask again for a share that no pool fits before every backend has reported."""
NO_POOLS = "it reports no pools"
NO_REPORT = "no report yet"
EXCLUDED = "its settings exclude the share"


def no_pool_error(
    spec: RequestSpec,
    placement: Placement,
    backends: Mapping[str, BackendSettings],
    reports: BackendReports,
    uncertain: Collection[str] = (),
) -> ShareActorsError:
    """The error when no pool fits *spec*; for a backend that was named, its own reasons only.

    `NoValidHost` is final. As long as one of *backends* that might fit has not reported, the error is `Busy`,
    or `Unavailable` with the detail `passing` if that backend was named. It is also `Busy` if a pool of the
    backends *uncertain* fits unless work that was under way at its measurement takes the room.
    """
    named = (spec.requested_host or "").partition("#")[0]
    if named:
        return _named_error(spec, placement, named, backends, reports, uncertain)
    awaited = reports.unreported(candidates(spec, backends))
    refused = {**placement.refused, **_without_pools(placement, backends, reports, awaited)}
    if awaited:
        missing = ", ".join(f"{name} for {seconds:.0f} s" for name, seconds in awaited.items())
        return not_final(f"there was no report of {missing}", refused)
    return no_room_error(spec, refused, uncertain)


def no_room_error(
    spec: RequestSpec, refused: dict[str, dict[str, str]], uncertain: Collection[str]
) -> ShareActorsError:
    """`NoValidHost` with the reasons *refused*; `Busy` if they may change (*uncertain*: backends)."""
    if uncertain:
        names = ", ".join(sorted(uncertain))
        return not_final(f"work was under way on {names} when its room was measured", refused)
    text = no_valid_host(Placement(refused=refused))
    return NoValidHost(text, field="size", value=spec.size, pools=refused)


def not_final(why: str, refused: dict[str, dict[str, str]]) -> Busy:
    """The error of a share that perhaps fits soon."""
    text = no_valid_host(Placement(refused=refused))
    message = f"{text}; this is not final: {why}{NOT_RECORDED}"
    return Busy(message, retry_after=RETRY_S, pools=refused)


def _named_error(
    spec: RequestSpec,
    placement: Placement,
    name: str,
    backends: Mapping[str, BackendSettings],
    reports: BackendReports,
    uncertain: Collection[str],
) -> ShareActorsError:
    """The error when no pool of the backend *name* fits *spec*."""
    if _not_ready(name, backends[name], reports) is not None:
        return not_ready_error(name, backends[name], reports)
    pools = placement.refused.items()
    refused = {pool: reasons for pool, reasons in pools if pool.partition("#")[0] == name}
    if all("protocol" in reasons for reasons in refused.values()):
        supported = ", ".join(reports.protocols(name))
        message = f"protocol: backend {name} supports {supported}, not {spec.share_proto!r}"
        return InvalidRequest(message, field="protocol", value=spec.share_proto)
    return no_room_error(spec, refused, uncertain)


def not_ready_error(name: str, settings: BackendSettings, reports: BackendReports) -> Unavailable:
    """The error of a request that needs the backend *name*, which is not ready."""
    reason = _not_ready(name, settings, reports) or NO_POOLS
    message = f"backend {name!r} is not ready: {reason}{NOT_RECORDED}"
    passing = {} if reports.latest(name) else {"passing": True}
    return Unavailable(message, field="backend", value=name, **passing)


def _not_ready(name: str, settings: BackendSettings, reports: BackendReports) -> str | None:
    report = reports.latest(name)
    if report is None:
        return NO_REPORT
    has_pools = report.capabilities is not None and report.capabilities.pools
    return reports.failure_reason(name, settings) or (None if has_pools else NO_POOLS)


def _without_pools(
    placement: Placement,
    backends: Mapping[str, BackendSettings],
    reports: BackendReports,
    awaited: Collection[str],
) -> dict[str, dict[str, str]]:
    """The backends that reported no pools, each with the reason."""
    with_pools = {pool.partition("#")[0] for pool in placement.refused}
    reasons = {
        name: _not_ready(name, settings, reports) or NO_POOLS
        for name, settings in backends.items()
        if name not in with_pools
    }
    return {
        name: {"backend": EXCLUDED if reason == NO_REPORT and name not in awaited else reason}
        for name, reason in reasons.items()
    }
