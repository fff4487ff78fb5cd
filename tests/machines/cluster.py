"""A Ray cluster of machines with a log on PostgreSQL: a head, workers, and a machine for clients."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from share_actors.cli.ray_roles import node_checks
from share_actors.config import RaySettings
from tests.machines.lan import Machine, environment

PORT = 6379
_LIMITS = ("--object-store-memory=100000000", "--num-gpus=0", "--disable-usage-stats")


class Node:
    """Ray on *machine*; commands on it use the home *home* and the configuration *config*."""

    def __init__(self, machine: Machine, home: Path, config: Path, head: str = "") -> None:
        self.machine, self._home, self._config = machine, home, config
        self._head = head or machine.address

    def start_ray(
        self,
        cpus: int = 1,
        resources: tuple[str, ...] = (),
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Start Ray, as the head or as a worker of the head, with more environment *variables*."""
        is_head = self._head == self.machine.address
        checks = node_checks(RaySettings().node_silence_s) if is_head else {}
        variables = {**checks, **variables}
        role = ["--head", f"--port={PORT}", "--include-dashboard=false"]
        role = role if is_head else [f"--address={self._head}:{PORT}"]
        held = json.dumps(dict.fromkeys(resources, 1))
        here = f"--node-ip-address={self.machine.address}"
        words = ("start", *role, here, f"--num-cpus={cpus}", f"--resources={held}", *_LIMITS)
        self.machine.run(_program("ray"), *words, env=self.environment(**variables))

    def command_line(self, *words: str) -> str:
        """What `share-actors` prints on the machine."""
        return self.machine.run(_program("share-actors"), *words, env=self.environment())

    def environment(self, **more: str) -> dict[str, str]:
        """The variables of programs on the machine."""
        ours = {
            "SHARE_ACTORS_HOME": str(self._home),
            "SHARE_ACTORS_CONFIG": str(self._config),
            "SHARE_ACTORS_ADDRESS": f"{self._head}:{PORT}",
            "RAY_AUTH_MODE": "disabled",
            "PYTHONPATH": str(Path.cwd()),
        }
        return dict(environment(**{**ours, **more}))


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))
