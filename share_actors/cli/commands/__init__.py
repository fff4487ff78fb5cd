"""The commands of `share-actors`: what the program's help lists, and the modules that define the commands.

A new command of a group needs no line here if its module is listed.
"""

from __future__ import annotations

from share_actors.cli.groups import Listed

LISTED = {
    "demo": Listed(
        "Show every feature in a minute: real files, a real log, and a kill -9 that loses nothing.",
        ("demo.command",),
        is_group=False,
    ),
    "up": Listed(
        "Start a system that keeps running, for later commands and other programs.",
        ("commands.system.up",),
        is_group=False,
    ),
    "down": Listed(
        "Wait for driver calls in progress, then stop the system. The log is kept.",
        ("commands.system.down",),
        is_group=False,
    ),
    "env": Listed(
        "Print the variables with which a plain Ray program joins the system:"
        ' `eval "$(share-actors env)"`.',
        ("commands.system.env",),
        is_group=False,
    ),
    "status": Listed(
        "Show the state of the system: its actors, backends and shares, and any problems.",
        ("commands.system.status",),
        is_group=False,
    ),
    "console": Listed(
        "Show the system in a browser: what is stuck and why, shares, capacity, placements, events.",
        ("commands.console",),
        is_group=False,
    ),
    "node": Listed(
        "Show the nodes of the Ray cluster; drain them, and forget those that will not come back.",
        ("commands.node", "commands.node_changes"),
    ),
    "upgrade": Listed(
        "Show the versions of the system's processes, and finish a rolling upgrade.",
        ("commands.system.upgrade",),
    ),
    "receipt": Listed(
        "Show the outcome of a request: accepted, in progress, done, or failed with the reason.",
        ("commands.receipt",),
        is_group=False,
    ),
    "whoami": Listed(
        "Show the user, project and role of your requests, and what they may do.",
        ("commands.whoami",),
        is_group=False,
    ),
    "doctor": Listed(
        "Show what this machine lacks for each backend, and the command that fixes it.",
        ("commands.system.doctor",),
        is_group=False,
    ),
    "share": Listed(
        "Manage shares. Sizes are whole GiB.",
        (
            "commands.share.creation",
            "commands.share.listing",
            "commands.share.watching",
            "commands.share.properties",
            "commands.share.changes",
            "commands.share.protection",
            "commands.share.manage",
            "commands.share.revert",
            "commands.share.exits",
        ),
    ),
    "apply": Listed(
        "Create and change shares until they are as a file declares; what is so already is left alone.",
        ("commands.apply",),
        is_group=False,
    ),
    "diff": Listed(
        "Show what `apply` would do. The exit code is 14 if shares are not as the file declares, else 0.",
        ("commands.apply",),
        is_group=False,
    ),
    "access": Listed("Manage access rules: who may use a share.", ("commands.share.access",)),
    "snapshot": Listed("Manage snapshots of the contents of shares.", ("commands.snapshot",)),
    "snapshot-policy": Listed(
        "Have snapshots taken, and deleted, by schedules.", ("commands.snapshot_policy",)
    ),
    "network": Listed(
        "Manage share networks, which provide the addresses of share servers.",
        ("commands.network",),
    ),
    "server": Listed(
        "Manage share servers, which are created for shares and deleted when unused.",
        ("commands.server",),
    ),
    "type": Listed(
        "Manage share types, which name the capabilities that a backend must have.",
        ("commands.share_type",),
    ),
    "quota": Listed(
        "Show and set quotas: what a project, or a user or share type in it, may use.",
        ("commands.quota",),
    ),
    "backend": Listed(
        "Show the status and capacity of the backends, and apply changes to them.",
        (
            "commands.backend.commands",
            "commands.backend.exits",
            "commands.backend.audit",
            "commands.backend.capacity",
        ),
    ),
    "driver": Listed(
        "Make a package with a new driver, and report which promises a driver keeps.",
        ("commands.driver",),
    ),
    "service": Listed("Run the system as a service of systemd.", ("commands.system.service",)),
    "deploy": Listed(
        "Print manifests for Kubernetes, and the recipe of a container image.",
        ("commands.deploy",),
    ),
    "metrics": Listed(
        "Show the metrics, and print what Prometheus and Grafana need.", ("commands.metrics",)
    ),
    "config": Listed("Show and check the configuration.", ("commands.system.config",)),
    "catalog": Listed(
        "Maintain the catalog, which is derived from the log.", ("commands.system.catalog",)
    ),
    "subject": Listed(
        "Erase personal data from the log: destroy the key that they are sealed with.",
        ("commands.subject",),
    ),
    "log": Listed(
        "Read the event log or a copy of it: events, past states, exports. Works without a system.",
        (
            "commands.log.reading",
            "commands.log.times",
            "commands.log.access",
            "commands.log.transfer",
            "commands.log.replay",
            "commands.log.verify",
            "commands.log.archive",
            "commands.log.drill",
            "commands.log.repartition",
        ),
    ),
}
"""In the order of the help. A summary is the first paragraph of the command's own help."""
