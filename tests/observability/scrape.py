"""What Prometheus gets from an endpoint, parsed by the parser of its own client library."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from share_actors.testing import SyncInProcessSystem

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]
SCRAPE_S = 10.0


class Scraped:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))
        self.series: Series = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        """The sum of the samples of `share_actors_NAME` with these labels; None if there is none."""
        wanted = set(labels.items())
        found = [
            value
            for (series, having), value in self.series.items()
            if series == f"share_actors_{name}" and wanted <= having
        ]
        return sum(found) if found else None

    def labels(self) -> Mapping[str, set[str]]:
        """The labels of each series name."""
        found: dict[str, set[str]] = {}
        for name, labels in self.series:
            found.setdefault(name, set()).update(label for label, _ in labels)
        return found


def endpoint(system: SyncInProcessSystem) -> str | None:
    """Where *system* serves its metrics now."""
    return system.status()["manager"]["metrics"]["url"]


def scrape(system: SyncInProcessSystem) -> Scraped:
    """What Prometheus gets from *system* now."""
    url = endpoint(system)
    assert url is not None
    with urlopen(url, timeout=SCRAPE_S) as page:
        return Scraped(page.read().decode())
