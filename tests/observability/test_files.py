"""The alert rules and the dashboard use metrics, labels and values that exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest
import yaml

from share_actors.errors import ERRORS
from share_actors.observability.dashboard import dashboard
from share_actors.observability.metrics import METRICS, PREFIX
from share_actors.values.share import ShareStatus
from tests.cli_home import run

SERIES = {series: metric for metric in METRICS for series in metric.series}
WORDS = {
    *("absent", "histogram_quantile", "increase", "max", "predict_linear", "rate", "sum", "time"),
    "by",
}
"""The functions and words of PromQL that the queries use."""
SELECTOR = re.compile(r"([a-z_:]+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
VALUES: Mapping[str, set[str]] = {
    "status": set(get_args(ShareStatus)),
    "outcome": {*ERRORS, "accepted", "done", "failed"},
    "state": {"alive", "silent"},
}
"""The values that labels may have, as far as they are fixed."""


def problems(query: str) -> list[str]:
    """What is wrong with a PromQL *query*: names that are neither metrics, their labels nor functions."""
    found = []
    labels = {"le"} if "_bucket" in query else set()
    for name in re.findall(rf"{PREFIX}\w+", query):
        if name in SERIES:
            labels |= set(SERIES[name].labels)
        else:
            found.append(f"no metric {name}")
    for series, matchers in SELECTOR.findall(query):
        found += _wrong_matchers(series, matchers)
    bare = re.sub(r'"[^"]*"|\[[^]]*\]|\{[^}]*\}', "", query)
    words = {word for word in re.findall(r"[A-Za-z_]\w*", bare) if not word.startswith(PREFIX)}
    return found + [f"{word} is no label of its metrics" for word in sorted(words - WORDS - labels)]


def _wrong_matchers(series: str, matchers: str) -> Iterator[str]:
    for label, operator, value in MATCHER.findall(matchers):
        if series not in SERIES or label not in {*SERIES[series].labels, "le"}:
            yield f"{series} has no label {label}"
        known = VALUES.get(label)
        parts = value.split("|") if "~" in operator else [value]
        for part in parts if known is not None else ():
            if not any(re.fullmatch(part, each) for each in known or ()):
                yield f"{label} is never {part}"


def shown_labels(text: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, text))


def alerts() -> list[dict[str, Any]]:
    [group] = yaml.safe_load(printed("rules"))["groups"]
    return list(group["rules"])


def printed(command: str) -> str:
    """What `share-actors metrics COMMAND` prints."""
    result = run("metrics", command)
    assert result.exit_code == 0, result.output
    return str(result.stdout)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("share_actors_backend_upp == 0", "no metric share_actors_backend_upp"),
        ('share_actors_backend_up{name="x"}', "share_actors_backend_up has no label name"),
        ("sum by (share) (share_actors_shares)", "share is no label of its metrics"),
        ('share_actors_shares{status="broken"}', "status is never broken"),
        ("share_actors_attempt_seconds", "no metric share_actors_attempt_seconds"),
    ],
)
def test_a_query_that_names_what_does_not_exist_is_found(query: str, problem: str) -> None:
    assert problem in problems(query)


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_an_alert_uses_metrics_and_labels_that_exist(alert: dict[str, Any]) -> None:
    assert problems(alert["expr"]) == []
    assert alert["labels"]["severity"] in ("warning", "critical")
    told = " ".join(alert["annotations"].values())
    used = shown_labels(told, r"\$labels\.(\w+)")
    kept = re.search(r"by \(([^)]*)\)", alert["expr"])
    series = {label for name in SERIES if name in alert["expr"] for label in SERIES[name].labels}
    assert used <= (set(kept[1].split(", ")) if kept else series)


def test_there_are_alerts_for_what_must_not_go_unnoticed() -> None:
    queries = " ".join(alert["expr"] for alert in alerts())

    for metric in (
        "pending_work_oldest_seconds",
        "backend_up",
        "catalog_lag_seconds",
        "log_disk_free_bytes",
        "shares",
        "actor_up",
        "nodes",
        "collected_timestamp_seconds",
    ):
        assert PREFIX + metric in queries


def panels() -> list[dict[str, Any]]:
    return [panel for panel in json.loads(printed("dashboard"))["panels"] if "targets" in panel]


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: str(panel["title"]))
def test_a_panel_uses_metrics_and_labels_that_exist(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        assert problems(target["expr"]) == []
        labels = shown_labels(target["legendFormat"], r"\{\{(\w+)\}\}")
        kept = re.search(r"by \(([^)]*)\)", target["expr"])
        series = set(re.findall(rf"{PREFIX}\w+", target["expr"]))
        known = {label for name in series for label in SERIES[name].labels}
        assert labels <= (set(re.split(r", ", kept[1])) if kept else known)


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    everything = dashboard()["panels"]

    assert len({panel["id"] for panel in everything}) == len(everything)
    cells = [
        (x, y)
        for grid in (panel["gridPos"] for panel in everything)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_every_metric_is_on_the_dashboard_or_in_an_alert() -> None:
    texts = " ".join(
        [target["expr"] for panel in panels() for target in panel["targets"]]
        + [alert["expr"] for alert in alerts()]
    )

    unused = [m.name for m in METRICS if not any(series in texts for series in m.series)]
    assert unused == [
        "share_actors_build_info",
        "share_actors_manager_start_time_seconds",
        "share_actors_pool_allocated_bytes",
        "share_actors_state_snapshot_failures_total",
    ]


def test_the_list_tells_every_metric_with_its_meaning() -> None:
    told = printed("list")

    for metric in METRICS:
        assert metric.name in told
        assert metric.help.split()[0] in told
