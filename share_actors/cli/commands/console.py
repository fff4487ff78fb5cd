"""`share-actors console`: the pages of the running system, in a browser."""

# ruff: noqa: PLC0415 - the web server is imported if it is installed
from __future__ import annotations

import asyncio
import json
import socket
from importlib.util import find_spec
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated

import typer

from share_actors.cli.command import command
from share_actors.cli.session import Session
from share_actors.errors import InvalidRequest, Unavailable

if TYPE_CHECKING:
    from share_actors.cli.console.guard import Keys
    from share_actors.cli.console.remote import RemoteSource

PORT = 8470
NEEDED = ("starlette", "uvicorn", "jinja2")
INSTALL = "pip install 'share-actors[console]'"
FIRST_ANSWER_S = 10.0
"""How long it waits for the system before it prints its address; the pages say what is missing then."""


@command(
    "console", examples=["console", "console --port 0", "console --project demo --role reader"]
)
def console(
    session: Session,
    host: Annotated[
        str, typer.Option(help="Listen on this address. Default: this machine alone.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Listen on this port; 0 is any free one.")
    ] = PORT,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="Answer also to browsers that use this name of the host. May be repeated.",
        ),
    ] = None,
) -> None:
    """Show the system in a browser: what is stuck and why, shares, capacity, placements, events.

    The pages change nothing. They show what you may see, as the user, project and role of this command.
    Open the printed address: its token lets your browser in, until the console ends (Ctrl-C). Whoever has
    it sees what you see. To look from another machine, forward the port: `ssh -L 8470:127.0.0.1:8470 HOST`.
    The pages say so when the system goes down, and show it again once it is back.
    """
    _check_packages()
    _check_hosts(host, allow_host or [])
    session.running_system()
    from share_actors.cli.console.server import listen

    session.interrupt_message = "The console has ended."
    with listen(host, port) as listening:
        asyncio.run(_serve(session, listening, host, allow_host or []))


def _check_packages() -> None:
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise Unavailable(
            f"the console needs the packages {', '.join(NEEDED)}; missing: {', '.join(missing)}",
            next_step=f"Install them: {INSTALL}",
        )


def _check_hosts(host: str, allowed: list[str]) -> None:
    """Raise `InvalidRequest` for a name that no browser sends, and for an address without any name."""
    from share_actors.cli.console.guard import host_of

    for name in allowed:
        if not _is_ipv6(name) and (":" in name or host_of(name) != name.lower()):
            text = f"--allow-host: {name!r} is not the name or address of a host (without a port)"
            raise InvalidRequest(text, field="allow_host", value=name)
    if _is_any(host) and not allowed:
        raise InvalidRequest(
            f"--host: {host!r} is every address of this machine, and browsers use one by its name",
            field="host",
            value=host,
            next_step="Say which names are this machine's: --allow-host NAME.",
        )


def _is_any(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def _is_ipv6(name: str) -> bool:
    try:
        return ip_address(name).version == 6
    except ValueError:
        return False


async def _serve(session: Session, listening: socket.socket, host: str, allowed: list[str]) -> None:
    from share_actors.cli.console.app import Console
    from share_actors.cli.console.guard import Keys
    from share_actors.cli.console.remote import RemoteSource
    from share_actors.cli.console.server import serve

    keys, source = Keys(), RemoteSource(session.options)
    port = listening.getsockname()[1]
    names = allowed if _is_any(host) else [host, *allowed]
    app = Console(source, keys, port, names).app
    source.start()
    try:
        await _first_answer(session, source)
        shown = names[0]
        await serve(app, listening, lambda: _announce(session, keys, shown, port))
    finally:
        await source.close()
    session.output.print_message("The console has ended.")


async def _first_answer(session: Session, source: RemoteSource) -> None:
    try:
        with session.output.spinner("connecting"):
            async with asyncio.timeout(FIRST_ANSWER_S):
                await source.first_answer()
    except TimeoutError:
        pass  # the pages say that nothing answers


def _announce(session: Session, keys: Keys, host: str, port: int) -> None:
    name = f"[{host}]" if ":" in host else host
    url = f"http://{name}:{port}/?token={keys.token}"
    if session.json:
        _write(session, json.dumps({"url": url}))
        return
    session.output.print("Open this address in a browser (Ctrl-C ends the console):")
    _write(session, f"  {url}")
    if not _is_loopback(host):
        text = "It is not encrypted: use it only in a network that you trust."
        session.output.print(f"[bold yellow]{text}[/]")


def _write(session: Session, line: str) -> None:
    """Write a line with the token, which everything else that is printed has masked."""
    session.output.stdout.write(line + "\n")
    session.output.stdout.flush()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
