"""What a share is told that no pool fits, while some backends have not reported and after all have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hypothesis import given
from hypothesis import strategies as st

from share_actors.actors.scheduling.candidates import candidates
from share_actors.actors.scheduling.placement_errors import no_pool_error
from share_actors.actors.scheduling.pool_stats import BackendReports
from share_actors.config import BackendSettings, SchedulerSettings
from share_actors.errors import Busy, NoValidHost, ShareActorsError, Unavailable
from share_actors.scheduling.filters import refusals
from share_actors.scheduling.pools import PoolState
from share_actors.scheduling.request import RequestSpec
from share_actors.scheduling.weighing import place
from share_actors.values import BackendReport, Capabilities, Pool, ShareType, utc_now

PLAIN = BackendSettings(driver="dummy")
FAR = BackendSettings(driver="dummy", availability_zone="far")
SERVED = BackendSettings(driver="dummy", driver_handles_share_servers=True)


def spec(**fields: object) -> RequestSpec:
    return RequestSpec.model_validate({"share_id": "s1", "size": 5, "share_proto": "NFS", **fields})


def report(name: str, reason: str | None = None) -> BackendReport:
    """A report of one pool of 1 GiB; of none with a *reason*."""
    pool = Pool(name=name, total_capacity_gib=1, free_capacity_gib=1)
    known = None if reason else capabilities(pool)
    return BackendReport(backend=name, at=utc_now(), capabilities=known, reason=reason)


def capabilities(pool: Pool, **fields: object) -> Capabilities:
    names = {"backend_name": "a", "driver_name": "dummy", "access_types": ("ip",)}
    return Capabilities.model_validate(
        {**names, "storage_protocols": ("NFS",), "pools": (pool,), **fields}
    )


def error_of(
    wanted: RequestSpec,
    backends: Mapping[str, BackendSettings],
    reported: Iterable[BackendReport] = (),
) -> ShareActorsError:
    reports = BackendReports(SchedulerSettings())
    reports.expect(backends)
    for each in reported:
        reports.publish(each)
    chosen, placement = place(wanted, reports.pool_states(backends))
    assert chosen is None
    return no_pool_error(wanted, placement, backends, reports)


def test_a_share_that_fits_nowhere_is_busy_while_a_backend_has_not_reported() -> None:
    error = error_of(spec(), {"a": PLAIN, "b": PLAIN}, [report("a")])

    assert isinstance(error, Busy)
    assert error.retry_after > 0
    assert "a#a: 5 GiB do not fit" in error.message
    assert "no report of b" in error.message
    assert "nothing was recorded" in error.message


def test_a_share_that_fits_nowhere_is_refused_once_every_backend_has_reported() -> None:
    down = report("b", "no route")
    error = error_of(spec(), {"a": PLAIN, "b": PLAIN}, [report("a"), down])

    assert isinstance(error, NoValidHost)
    assert error.details["pools"].keys() == {"a#a", "b"}


def test_a_named_backend_without_a_report_is_unavailable_for_now() -> None:
    error = error_of(spec(requested_host="b"), {"a": PLAIN, "b": PLAIN}, [report("a")])

    assert isinstance(error, Unavailable)
    assert (error.value, error.details) == ("b", {"passing": True})


def test_a_named_backend_that_reported_its_failure_is_unavailable_until_it_is_mended() -> None:
    error = error_of(spec(requested_host="b"), {"b": PLAIN}, [report("b", "no route")])

    assert isinstance(error, Unavailable)
    assert "no route" in error.message
    assert "passing" not in error.details


def test_a_backend_that_the_configuration_excludes_keeps_no_refusal_from_being_final() -> None:
    backends = {"a": PLAIN, "served": SERVED, "far": FAR}
    wanted = spec(availability_zone="near")

    assert candidates(wanted, backends) == ["a"]
    error = error_of(wanted, backends, [report("a")])
    assert isinstance(error, NoValidHost)
    assert "served: its settings exclude the share" in error.message


def test_reports_are_expected_of_configured_backends_only() -> None:
    reports = BackendReports(SchedulerSettings())
    reports.expect(["a", "b"])
    reports.publish(report("a"))
    assert reports.unreported(["a", "b", "never"]).keys() == {"b"}

    reports.expect(["a", "c"])
    assert reports.unreported(["a", "b", "c"]).keys() == {"c"}


# -- candidates ------------------------------------------------------------------------------------
HOSTS = st.sampled_from(["a", "b", "a#p", "b#p", ""])
TYPES = st.sampled_from(["True", "False", "maybe"]).map(
    lambda mode: ShareType(id="t", extra_specs={"driver_handles_share_servers": mode})
)
SPECS = st.builds(
    spec,
    requested_host=st.none() | st.sampled_from(["a", "b", "a#p"]),
    snapshot_host=st.none() | HOSTS,
    share_type=st.none() | TYPES,
    needs_share_server=st.booleans(),
    availability_zone=st.none() | st.sampled_from(["near", "far"]),
    same_host=st.dictionaries(st.sampled_from("xy"), HOSTS),
)
ZONES = st.none() | st.sampled_from(["near", "far"])


@given(SPECS, st.booleans(), ZONES, ZONES)
def test_a_backend_that_is_not_waited_for_fits_with_no_report(
    wanted: RequestSpec, handles_servers: bool, zone: str | None, reported_zone: str | None
) -> None:
    settings = BackendSettings(
        driver="dummy", driver_handles_share_servers=handles_servers, availability_zone=zone
    )
    pool = Pool(name="p", total_capacity_gib=9, free_capacity_gib=9)
    reported = capabilities(
        pool,
        driver_handles_share_servers=handles_servers,
        availability_zone=zone or reported_zone or "nova",
    )
    fits = not refusals(wanted, PoolState(backend="a", capabilities=reported, pool=pool))

    assert candidates(wanted, {"a": settings}) == ["a"] or not fits
