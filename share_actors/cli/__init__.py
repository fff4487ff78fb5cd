"""`share-actors`, the command line. Nothing here imports Ray before a command needs it."""

from __future__ import annotations

import typer

from share_actors.cli import batch_report, command
from share_actors.cli.commands import (
    access,
    backend,
    backend_audit,  # noqa: F401 - its command is in the group `backend`
    backend_capacity,  # noqa: F401 - likewise
    catalog,
    config,
    doctor,
    exits,  # noqa: F401 - its commands are in the groups of the others
    log,
    log_access,  # noqa: F401 - its commands are in the group `log`
    log_archive,
    log_drill,
    log_replay,
    log_times,  # noqa: F401 - its commands are in the group `log`
    log_transfer,  # noqa: F401 - its commands are in the group `log`
    log_verify,
    network,
    receipt,
    revert,  # noqa: F401 - its command is in the group `share`
    server,
    service,
    share,
    share_type,
    snapshot,
    subject,
    system,
    whoami,
)
from share_actors.cli.demo import command as demo
from share_actors.cli.session import INTERRUPTED
from share_actors.cli.usage_errors import RootGroup

__all__ = ["EXIT_CODES", "app", "main"]


EXIT_CODES = {
    0: "success",
    1: "an unexpected error",
    2: "usage: the command line is invalid; nothing was done",
    3: "invalid_request: the input is invalid; nothing was recorded",
    4: "config: the configuration is invalid; nothing was started",
    5: "not_found: no such share, snapshot, access rule, network, server or type",
    6: "ambiguous: several shares have that name",
    7: "refused, no_valid_host: not possible in the current state; forbidden: not permitted to the role;"
    " nothing was recorded",
    8: "failed: the request was recorded and the backend failed",
    9: "timeout: the request was recorded and is still in progress",
    10: "busy: too many requests wait, or backends have not reported; nothing was recorded; try again",
    11: "unavailable: no system is running, or it can't be reached",
    12: "log, log_too_new: the event log can't be used; nothing was recorded; log_in_doubt: it is unknown",
    doctor.LACKING: "missing: a backend lacks what it requires (`doctor`); nothing was changed",
    log_verify.DIFFERS: "differs: the log is not what was recorded (`log verify`); nothing was changed",
    batch_report.SOME_FAILED: "some_failed: some items of `--from FILE` were refused, failed or still go on;"
    " the others are done",
    log_replay.PARTS: "parts: other states or decisions than recorded (`log replay`); nothing was changed",
    log_drill.LOST: "lost: the backup lacks more recorded events than `log restore-drill --max-lost` allows",
    INTERRUPTED: "stopped by Ctrl-C; recorded requests stay in progress",
}
"""Exit codes of the command line, with the `error.code` of --json output. They are stable."""


def _exit_code_help() -> str:
    lines = [f"{code:>4}  {meaning}" for code, meaning in EXIT_CODES.items()]
    return "\n".join(["[bold]Exit codes[/]", *lines])


app = typer.Typer(
    name="share-actors",
    cls=RootGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_exit_code_help(),
)


@app.callback()
@command.root_callback
def _root() -> None:
    """Manage shared filesystems: create shares, control access, take snapshots.

    Sizes are whole GiB. A command that changes something returns when the backend has finished.
    The request is recorded durably before that, so stopping early (--no-wait, Ctrl-C) loses nothing.

    New here? [bold]share-actors demo[/] shows everything in a minute; [bold]share-actors up[/] starts
    a system that keeps running.
    """


demo.register(app)
system.register(app)
receipt.register(app)
whoami.register(app)
doctor.register(app)
app.add_typer(share.app, name="share")
app.add_typer(access.app, name="access")
app.add_typer(snapshot.app, name="snapshot")
app.add_typer(network.app, name="network")
app.add_typer(server.app, name="server")
app.add_typer(share_type.app, name="type")
app.add_typer(backend.app, name="backend")
app.add_typer(service.service_app, name="service")
app.add_typer(config.config_app, name="config")
app.add_typer(catalog.catalog_app, name="catalog")
app.add_typer(subject.subject_app, name="subject")
log_verify.register(log.log_app)
log_archive.register(log.log_app)
log_drill.register(log.log_app)
app.add_typer(log.log_app, name="log")


def main() -> None:
    """Run the command line: the entry point of the `share-actors` script."""
    try:
        app(prog_name="share-actors")
    except SystemExit as exit_request:
        if exit_request.code == INTERRUPTED:
            command.exit_now(INTERRUPTED)
        raise
