"""`ray start` with the tables of the head in Redis, and a GCS that is started again when it ends.

The variables are those of `share_actors.actors.runtime.head.store`. The password is on no command line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from share_actors.actors.runtime import PARENT
from share_actors.actors.runtime.head.store import PASSWORD, USER, RedisStore, from_environment

for name, value in PARENT.items():  # for programs, not for Ray's own processes
    if os.environ.get(name) == value:
        del os.environ[name]

from ray._private import node, ray_constants, services  # noqa: E402 - Ray reads the variables here
from ray.scripts import scripts  # noqa: E402

GCS = ray_constants.PROCESS_TYPE_GCS_SERVER
KEEPER = (sys.executable, "-m", "share_actors.actors.runtime.head.keeper")


def kept(start: Callable[..., Any], secrets: dict[str, str]) -> Callable[..., Any]:
    """Ray's function that starts a process, which starts the GCS below a keeper that knows *secrets*."""

    def start_process(command: Sequence[str], process_type: str, *args: Any, **options: Any) -> Any:
        if process_type == GCS:
            command = [*KEEPER, *command]
            options["env_updates"] = {**(options.get("env_updates") or {}), **secrets}
        return start(command, process_type, *args, **options)

    return start_process


def with_login(read: Callable[..., Any], store: RedisStore) -> Callable[..., Any]:
    """Ray's function that reads the former session from Redis, with the user and the password of *store*."""

    def read_session(host: str, port: int, _user: str, _password: str, *rest: Any) -> Any:
        return read(host, port, store.user, store.password, *rest)

    return read_session


def main() -> None:
    """Run `ray` with this process's arguments."""
    store = from_environment(os.environ)
    secrets = {name: os.environ.pop(name, "") for name in (USER, PASSWORD)}
    services.start_ray_process = kept(services.start_ray_process, secrets)
    name = "get_session_key_from_storage"
    setattr(node, name, with_login(getattr(node, name), store))
    ray_program: Any = scripts.main
    ray_program()


if __name__ == "__main__":
    main()
