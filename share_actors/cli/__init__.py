"""`share-actors`, the command line. Nothing here imports Ray before a command needs it."""

from __future__ import annotations

import typer

from share_actors.cli import command
from share_actors.cli.commands import (
    access,
    backend,
    catalog,
    config,
    network,
    receipt,
    server,
    share,
    share_type,
    snapshot,
    system,
)
from share_actors.cli.demo import command as demo
from share_actors.cli.session import INTERRUPTED
from share_actors.cli.usage_errors import Root

__all__ = ["EXIT_CODES", "app", "main"]


EXIT_CODES = {
    0: "done",
    1: "an unexpected error",
    2: "usage: the command line makes no sense; nothing was done",
    3: "invalid_request: the input makes no sense; nothing was recorded",
    4: "config: the configuration can't work; nothing was started",
    5: "not_found: no such share, snapshot, access rule, network, server or type",
    6: "ambiguous: several shares bear that name",
    7: "refused, no_valid_host: not possible as things are now; nothing was recorded",
    8: "failed: recorded and tried, and the backend failed",
    9: "timeout: recorded, and goes on",
    10: "busy: too much is waiting; nothing was recorded; try again",
    11: "unavailable: no system is running, or it can't be reached",
    12: "log, log_too_new: the event log can't be used; nothing was recorded",
    INTERRUPTED: "stopped by Ctrl-C; what was recorded goes on",
}
"""What the command line ends with, and the `error.code` of --json that it goes with. Stable."""


def _exit_codes() -> str:
    lines = [f"{code:>4}  {meaning}" for code, meaning in EXIT_CODES.items()]
    return "\n".join(["[bold]Exit codes[/]", *lines])


app = typer.Typer(
    name="share-actors",
    cls=Root,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_exit_codes(),
)


@app.callback()
@command.root
def _root() -> None:
    """Shared filesystems under control: create, share out, snapshot, and never lose track.

    Sizes are whole GiB. A command that changes something returns when the backend has done it; the
    request is on the disk well before, so that leaving early loses nothing (--no-wait, Ctrl-C).

    New here? [bold]share-actors demo[/] shows it all in a minute; [bold]share-actors up[/] starts a
    system that stays.
    """


demo.register(app)
system.register(app)
receipt.register(app)
app.add_typer(share.app, name="share")
app.add_typer(access.app, name="access")
app.add_typer(snapshot.app, name="snapshot")
app.add_typer(network.app, name="network")
app.add_typer(server.app, name="server")
app.add_typer(share_type.app, name="type")
app.add_typer(backend.app, name="backend")
app.add_typer(config.config_app, name="config")
app.add_typer(catalog.catalog_app, name="catalog")


def main() -> None:
    """The entry point."""
    try:
        app(prog_name="share-actors")
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            command.leave(INTERRUPTED)
        raise
