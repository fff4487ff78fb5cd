"""NFS-Ganeshas after kill -9 of the daemon: milliseconds until it serves all its exports again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

from share_actors.drivers.ganesha import Ganesha, GaneshaInstances, GaneshaSettings
from share_actors.drivers.supervision.probes import answers_nfs
from share_actors.drivers.supervision.supervisor import HEALTHY_S

SIZES = (50, 300, 1000)
MANY, EACH = 1000, 300
"""The exports of a backend, and how many of them one of its servers has."""
KILLS = 10
LIMIT_S = 60.0
CLIENTS = {"127.0.0.1": "rw", "10.0.0.0/8": "ro"}


def run(directory: Path, scale: float) -> dict[str, float]:
    """The median of 10 kills for each number of exports; nothing where NFS-Ganesha cannot run."""
    if os.geteuid() != 0 or not shutil.which(
        "ganesha.nfsd", path=f"{os.environ['PATH']}:/usr/sbin"
    ):
        print("without root or nfs-ganesha: its recovery is not measured", file=sys.stderr)
        return {}
    kills = max(3, round(KILLS * scale))
    found = {f"ganesha_{size}_exports": _recoveries(directory, size, kills) for size in SIZES}
    found |= _recoveries_of_several(directory, kills)
    return {f"{name}_ms_p50": statistics.median(values) for name, values in found.items()}


def _recoveries(directory: Path, exports: int, kills: int) -> list[float]:
    """Milliseconds from each kill to the first answer about the last export."""
    home = directory / f"ganesha-{exports}"
    unit = Ganesha(GaneshaSettings(directory=home, nfs_port=_free_port()))
    unit.start()
    try:
        for number in range(exports):
            (path := home.with_name(f"data-{exports}") / str(number)).mkdir(parents=True)
            unit.export(f"s{number}", path, CLIENTS)
        return [_recovery(unit, f"s{exports - 1}") for _ in range(kills)]
    finally:
        unit.stop()


def _recoveries_of_several(directory: Path, kills: int) -> dict[str, list[float]]:
    """The same for `MANY` exports at several servers: after the kill of a full one, and of all at once."""
    home, ports = directory / "several", [_free_port() for _ in range(-(-MANY // EACH))]

    def settings_of(number: int) -> GaneshaSettings:
        return GaneshaSettings(directory=home / f"g{number}", nfs_port=ports[number - 1])

    servers = GaneshaInstances(settings_of, EACH)
    home.mkdir()
    servers.start()
    try:
        for number in range(MANY):
            (path := home / "data" / str(number)).mkdir(parents=True)
            servers.export(f"s{number}", path, CLIENTS, lambda: None)
        units = [Ganesha(settings_of(number + 1)) for number in range(len(ports))]
        lasts = [f"s{min((number + 1) * EACH, MANY) - 1}" for number in range(len(ports))]
        places = list(zip(units, lasts, strict=True))
        name = f"ganesha_{MANY}_exports_by_{EACH}"
        return {
            f"{name}_one_killed": [_recovery(*places[0]) for _ in range(kills)],
            f"{name}_all_killed": [_recovery_of_all(places) for _ in range(kills)],
        }
    finally:
        servers.stop()


def _recovery(unit: Ganesha, last: str) -> float:
    return _recovery_of_all([(unit, last)])


def _recovery_of_all(units: list[tuple[Ganesha, str]]) -> float:
    """Milliseconds from the kill of all *units* until each serves its last export."""
    time.sleep(HEALTHY_S / 20)
    for unit, _ in units:
        os.kill(int(unit.settings.files.ganesha_pid.read_text()), signal.SIGKILL)
    began = time.perf_counter()
    for unit, last in units:
        settings = unit.settings
        while not answers_nfs(settings.address, settings.nfs_port) or unit.served(last) != CLIENTS:
            if time.perf_counter() - began > LIMIT_S:
                raise TimeoutError(f"{settings.directory} did not serve within {LIMIT_S:.0f} s")
            time.sleep(0.002)
    return (time.perf_counter() - began) * 1000


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="share-actors-bench-") as name:
        for figure, value in run(Path(name), 1.0).items():
            print(f"{figure:50}{value:>10,.1f}")
