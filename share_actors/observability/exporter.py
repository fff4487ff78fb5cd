"""The endpoint that Prometheus scrapes: the samples that were collected last, by `prometheus_client`."""

# ruff: noqa: PLC0415 - prometheus_client is imported only if metrics are configured
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from share_actors.errors import ConfigError, Unavailable
from share_actors.observability.counts import Sample
from share_actors.observability.metrics import BUCKETS, METRICS, Metric
from share_actors.values.checks.addresses import host_and_port

if TYPE_CHECKING:
    from prometheus_client import Metric as Family

INSTALL = "pip install 'share-actors[metrics]'"
BOUNDS = (*map(repr, BUCKETS), "+Inf")


def check_library(address: str | None) -> None:
    """Raise `ConfigError` if metrics are to be served at *address* and the library for it is missing."""
    if address is not None and find_spec("prometheus_client") is None:
        raise ConfigError(
            f"metrics.address {address!r} needs the package prometheus_client: {INSTALL}",
            field="metrics.address",
            value=address,
        )


class Exporter:
    """Serves metrics over HTTP from threads of its own; a scrape costs the actor's event loop nothing."""

    def __init__(self) -> None:
        self._samples: Sequence[Sample] = ()
        self._server: Any = None
        self.url: str | None = None
        """Where it serves metrics, once it does."""

    def start(self, address: str) -> None:
        """Serve at *address* (`HOST:PORT`; port 0: any free one).

        Raises `ConfigError` without the library, and `Unavailable` if the address cannot be used.
        """
        check_library(address)
        from prometheus_client import CollectorRegistry, start_http_server

        host, port = host_and_port(address)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(self))
        try:
            self._server, _ = start_http_server(port, host, registry)
        except OSError as error:
            raise Unavailable(
                f"metrics cannot be served at {address}: {error.strerror or error}",
                field="metrics.address",
                value=address,
            ) from None
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.server_port}/metrics"

    def publish(self, samples: Iterable[Sample]) -> None:
        """Serve *samples* from now on."""
        self._samples = tuple(samples)

    def families(self) -> Iterator[Family]:
        """The metrics that have samples, with these."""
        by_name: dict[str, list[Sample]] = {}
        for sample in self._samples:
            by_name.setdefault(sample.metric, []).append(sample)
        for metric in METRICS:
            if found := by_name.get(metric.name):
                yield _family(metric, found)

    def stop(self) -> None:
        """Serve no longer; waits for requests that have begun to be read."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = self.url = None


class _Collector:
    """What a registry of `prometheus_client` asks at each scrape."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter

    def collect(self) -> Iterator[Family]:
        return self._exporter.families()


def _family(metric: Metric, samples: Sequence[Sample]) -> Family:
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for sample in samples:
            buckets = [*zip(BOUNDS, accumulate(sample.buckets), strict=True)]
            histogram.add_metric(sample.labels, buckets, sample.sum)
        return histogram
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    for sample in samples:
        family.add_metric(sample.labels, sample.value)
    return family
