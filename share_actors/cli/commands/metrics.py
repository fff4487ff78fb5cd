"""`share-actors metrics ...`: the metrics, where they are served, and files for Prometheus and Grafana."""

from __future__ import annotations

from importlib.resources import files
from urllib.parse import urlsplit

from share_actors.cli.command import command
from share_actors.cli.output import Column, Table
from share_actors.cli.session import Session
from share_actors.errors import Unavailable
from share_actors.observability.dashboard import dashboard as grafana_dashboard
from share_actors.observability.metrics import METRICS

METRICS_LISTED = Table(
    "metric",
    (
        Column("METRIC", "name", "id", 0),
        Column("KIND", "kind", "word", 2),
        Column("LABELS", "labels", "word", 3),
        Column("MEANING", "help", "text", 1),
    ),
    identity="name",
)


@command(
    "metrics list",
    table=METRICS_LISTED,
    examples=["metrics list", "metrics list --json"],
)
def list_metrics(session: Session) -> None:
    """List all metrics, with their labels and meanings. Works without a system."""
    session.output.print_items(
        METRICS_LISTED,
        METRICS,
        lambda metrics: {"metrics": [metric._asdict() for metric in metrics]},
    )


@command("metrics targets", examples=["metrics targets > /etc/prometheus/share-actors.json"])
def targets(session: Session) -> None:
    """Print where the running system serves metrics, for `file_sd_configs` of Prometheus."""
    manager = session.system.status()["manager"]
    served = manager.get("metrics", {})
    url = served.get("url")
    if url is None:
        reason = served.get("error") or manager.get("error")
        raise Unavailable(
            f"the system serves no metrics: {reason or 'metrics.address is not set'}",
            field="metrics.address",
            next_step="Set metrics.address, such as 127.0.0.1:9464, then `share-actors down` and `up`.",
        )
    labels = {"system": session.system.config.namespace}
    session.output.print_json([{"targets": [urlsplit(url).netloc], "labels": labels}])


@command("metrics rules", examples=["metrics rules > /etc/prometheus/share-actors.rules.yml"])
def rules(session: Session) -> None:
    """Print alert rules for Prometheus, as YAML. Works without a system."""
    text = files("share_actors.observability").joinpath("files/rules.yaml").read_text("utf-8")
    if session.json:
        session.output.print_json({"yaml": text})
    else:
        session.output.stdout.write(text)


@command("metrics dashboard", examples=["metrics dashboard > dashboard.json"])
def dashboard(session: Session) -> None:
    """Print a dashboard for Grafana, as the JSON that it imports. Works without a system."""
    session.output.print_json(grafana_dashboard())
