"""What a system tells of itself in its Ray cluster, so that a machine can check it before it joins.

It is JSON, since a program of any version reads it.
"""

from __future__ import annotations

from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_put

from share_actors.actors.runtime.joining.facts import SystemFacts, program_version
from share_actors.config import Config

PREFIX, SUFFIX = "share-actors/", "/announcement"


def announce(config: Config) -> None:
    """Tell what `SystemFacts` has of the system of *config*, in place of what was told before."""
    backends = {name: backend.node for name, backend in config.backends.items()}
    facts = SystemFacts(program=program_version(), log=config.log.kind, backends=backends)
    _internal_kv_put(_key(config.namespace), facts.json_bytes(), overwrite=True)


def withdraw(namespace: str) -> None:
    """Tell nothing more of the system in *namespace*, which has ended."""
    _internal_kv_del(_key(namespace))


def _key(namespace: str) -> str:
    return f"{PREFIX}{namespace}{SUFFIX}"
