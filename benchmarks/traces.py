"""What traces cost: creates in flight without traces, and with a part of the commands traced, in turn."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.loads import in_flight
from share_actors import config
from share_actors.testing import system

ROUNDS = 10
IN_FLIGHT = 64
TRACED: Mapping[str, float | None] = {"off": None, "none": 0.0, "percent": 0.01, "all": 1.0}
"""The part of the commands that is traced; None: traces are not configured."""
RECEIVER = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def run(directory: Path, scale: float) -> dict[str, float]:
    """Creates per second of processor time, and that time as a multiple of that without traces.

    The system and its client run in this process, on a SQLite log; the receiver of the traces in another one.
    """
    creates = dict.fromkeys(TRACED, 0.0)
    with _receiver() as endpoint:
        for number in range(ROUNDS):  # in turn, since other programs share the machine
            for name, ratio in TRACED.items():
                home = directory / f"traces-{name}-{number}"
                settings = _settings(home, endpoint, ratio)
                rate = asyncio.run(_creates(settings, int(1_000 * scale)))
                creates[name] = max(creates[name], rate)
    return {
        **{f"traces_{name}_creates_per_cpu_s": rate for name, rate in creates.items()},
        **{
            f"traces_{name}_cpu_ratio": creates["off"] / rate
            for name, rate in creates.items()
            if name != "off"
        },
    }


@contextmanager
def _receiver() -> Iterator[str]:
    """The endpoint of a process that takes all that is sent to it."""
    command = [sys.executable, "-c", RECEIVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def _settings(home: Path, endpoint: str, ratio: float | None) -> config.Config:
    backends = {"memory": {"driver": "dummy", "options": {}}}
    traces: dict[str, Any] = {} if ratio is None else {"endpoint": endpoint, "ratio": ratio}
    return config.build({"home": home, "backends": backends, "traces": traces})


async def _creates(settings: config.Config, count: int) -> float:
    """Creates per second of processor time, `IN_FLIGHT` at a time."""
    async with system(settings, durable=True) as running:
        await in_flight(lambda: running.create_share(size=1), 200, IN_FLIGHT)
        start = time.process_time()
        await in_flight(lambda: running.create_share(size=1), count, IN_FLIGHT)
        return count / (time.process_time() - start)
