"""The Grafana dashboard: its panels, and the JSON document that Grafana imports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT, COLUMNS = 8, 7, 3
"""A panel's size in units of Grafana's grid, which is 24 wide, and how many are side by side."""


class Panel(NamedTuple):
    """A panel: its title, the unit of its values, and its queries, by the name of their lines."""

    title: str
    unit: str
    queries: Mapping[str, str]
    kind: str = "timeseries"


def _rate(metric: str, labels: str) -> str:
    return f"sum by ({labels}) (rate(share_actors_{metric}[$__rate_interval]))"


def _quantile(q: float, metric: str, labels: str) -> str:
    rates = _rate(f"{metric}_bucket", f"le, {labels}" if labels else "le")
    return f"histogram_quantile({q}, {rates})"


ROWS: Mapping[str, tuple[Panel, ...]] = {
    "Now": (
        Panel(
            "Shares by status",
            "short",
            {"{{status}}": "sum by (status) (share_actors_shares)"},
            "bargauge",
        ),
        Panel("Backends", "bool_on_off", {"{{backend}}": "share_actors_backend_up"}, "stat"),
        Panel("Nodes", "short", {"{{state}}": "share_actors_nodes"}, "stat"),
    ),
    "Commands": (
        Panel("Commands", "ops", {"{{kind}}": _rate("commands_total", "kind")}),
        Panel(
            "Refused commands",
            "ops",
            {
                "{{kind}}: {{outcome}}": "sum by (kind, outcome) (rate("
                'share_actors_commands_total{outcome!~"accepted|done"}[$__rate_interval]))'
            },
        ),
        Panel(
            "Failed work",
            "ops",
            {
                "{{kind}}": "sum by (kind) (rate("
                'share_actors_outcomes_total{outcome="failed"}[$__rate_interval]))'
            },
        ),
        Panel(
            "Time until recorded",
            "s",
            {
                "median": _quantile(0.5, "command_reply_seconds", ""),
                "99 %": _quantile(0.99, "command_reply_seconds", ""),
            },
        ),
        Panel(
            "Time from record to outcome, 99 %",
            "s",
            {"{{kind}}": _quantile(0.99, "command_outcome_seconds", "kind")},
        ),
        Panel(
            "Waiting commands",
            "short",
            {"{{actor}}": "share_actors_actor_commands_waiting"},
        ),
    ),
    "Backends": (
        Panel(
            "Attempts",
            "ops",
            {"{{backend}}: {{outcome}}": _rate("attempts_total", "backend, outcome")},
        ),
        Panel(
            "Time of an attempt, 99 %",
            "s",
            {"{{backend}}: {{effect}}": _quantile(0.99, "attempt_seconds", "backend, effect")},
        ),
        Panel(
            "Driver calls that wait or hang",
            "short",
            {
                "{{backend}} waiting": "sum by (backend) (share_actors_driver_calls_waiting)",
                "{{actor}} hung": "sum by (actor) (share_actors_driver_calls_hung)",
            },
        ),
        Panel(
            "Pending work", "short", {"{{backend}}": "sum by (backend) (share_actors_pending_work)"}
        ),
        Panel(
            "Oldest pending work",
            "s",
            {"{{backend}}": "max by (backend) (share_actors_pending_work_oldest_seconds)"},
        ),
        Panel(
            "Free capacity",
            "bytes",
            {"{{backend}}#{{pool}}": "share_actors_pool_free_bytes"},
        ),
    ),
    "Log and catalog": (
        Panel("Events", "ops", {"events": "rate(share_actors_log_events_total[$__rate_interval])"}),
        Panel(
            "Size of the log, and its disk",
            "bytes",
            {
                "log": "share_actors_log_size_bytes",
                "free on its disk": "share_actors_log_disk_free_bytes",
            },
        ),
        Panel(
            "Time of a commit, 99 %",
            "s",
            {"{{actor}}": _quantile(0.99, "log_commit_seconds", "actor")},
        ),
        Panel("Catalog lag", "short", {"events": "share_actors_catalog_lag_events"}),
        Panel("Catalog lag in time", "s", {"age": "share_actors_catalog_lag_seconds"}),
        Panel("Parked streams", "short", {"streams": "share_actors_catalog_parked_streams"}),
    ),
    "Actors": (
        Panel("Active shares", "short", {"{{actor}}": "share_actors_actor_entities"}),
        Panel("Actors that answer", "bool_on_off", {"{{actor}}": "share_actors_actor_up"}, "stat"),
        Panel(
            "Age of these figures",
            "s",
            {"age": "time() - share_actors_collected_timestamp_seconds"},
        ),
    ),
}


def dashboard() -> dict[str, Any]:
    """The document that Grafana imports; it asks for the Prometheus data source."""
    return {
        "title": "share_actors",
        "uid": "share-actors",
        "tags": ["share_actors"],
        "schemaVersion": 39,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "templating": {
            "list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [{"id": n, **panel} for n, panel in enumerate(_panels(), 1)],
    }


def _panels() -> Iterator[dict[str, Any]]:
    y = 0
    for title, panels in ROWS.items():
        yield {"type": "row", "title": title, "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}}
        y += 1
        for n, panel in enumerate(panels):
            line, column = divmod(n, COLUMNS)
            place = {"x": column * WIDTH, "y": y + line * HEIGHT, "w": WIDTH, "h": HEIGHT}
            yield _panel(panel, place)
        y += -(-len(panels) // COLUMNS) * HEIGHT


def _panel(panel: Panel, place: Mapping[str, int]) -> dict[str, Any]:
    return {
        "type": panel.kind,
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + n),
                "datasource": SOURCE,
                "expr": query,
                "legendFormat": legend,
            }
            for n, (legend, query) in enumerate(panel.queries.items())
        ],
    }
