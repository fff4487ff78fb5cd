"""Serves the console by HTTP until a signal ends it."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress

import uvicorn
from starlette.types import ASGIApp

from share_actors.cli.interrupts import SIGNALS
from share_actors.errors import InvalidRequest, Unavailable

BACKLOG = 64


class _Server(uvicorn.Server):
    """A server whose signals are the console's."""

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]
        """Leave the handlers of signals as they are."""
        return nullcontext()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on *host* (an address or a name) and *port*; port 0 is any free one.

    Raises `InvalidRequest` for a host that is not one of this machine's, and `Unavailable` for a port that
    is in use or may not be used.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            text = f"--host: {host!r} is not an address of this machine"
            raise InvalidRequest(text, field="host", value=host) from None
        in_use = error.errno == errno.EADDRINUSE
        why = "is in use" if in_use else f"cannot be used: {error.strerror or error}"
        raise Unavailable(
            f"port {port} of {host} {why}",
            field="port",
            value=port,
            next_step="Choose another one with --port, or any free one with --port 0.",
        ) from None


async def serve(app: ASGIApp, listening: socket.socket, begun: Callable[[], None]) -> None:
    """Serve *app* until a signal, then end at once; *begun* is called when it answers."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,  # an address may hold the token
        server_header=False,
        proxy_headers=False,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    with _signals(serving.cancel), suppress(asyncio.CancelledError):
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if server.started:
            begun()
        await serving


@contextmanager
def _signals(stop: Callable[[], object]) -> Iterator[None]:
    """Call *stop* at a signal that ends a command, in the block."""
    loop = asyncio.get_running_loop()
    heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.getsignal(number) for number in heeded}
    for number in heeded:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
