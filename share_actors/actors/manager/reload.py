"""What may change in the configuration of a system that runs."""

from __future__ import annotations

from share_actors.config import Config
from share_actors.errors import ConfigError

CHANGEABLE = ("backends", "default_backend", "scheduler", "servers")


def with_its_key(before: Config, after: Config) -> Config:
    """A system keeps the key that it was started with, if nobody names one."""
    key = after.secrets_key or before.secrets_key
    return after.model_copy(update={"secrets_key": key})


def difference(before: Config, after: Config) -> dict[str, list[str]]:
    """Which backends are `added`, `changed` and `removed`; raises `ConfigError` for what takes a restart."""
    after = with_its_key(before, after)
    for key in type(before).model_fields:
        if key not in CHANGEABLE and getattr(before, key) != getattr(after, key):
            raise ConfigError(
                f"{key}: cannot change while the system runs; `down`, then `up`; nothing was changed",
                field=key,
            )
    old, new = before.backends, after.backends
    return {
        "added": [name for name in new if name not in old],
        "changed": [name for name in new if name in old and new[name] != old[name]],
        "removed": [name for name in old if name not in new],
    }
