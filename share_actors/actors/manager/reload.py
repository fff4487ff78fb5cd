"""Which parts of the configuration may change while the system runs."""

from __future__ import annotations

from share_actors.config import Config
from share_actors.errors import ConfigError

CHANGEABLE = ("backends", "default_backend", "scheduler", "servers", "quotas")


def with_current_key(current: Config, new: Config) -> Config:
    """*new* with the key of secrets of *current*, unless *new* has one."""
    key = new.secrets_key or current.secrets_key
    return new.model_copy(update={"secrets_key": key})


def difference(current: Config, new: Config) -> dict[str, list[str]]:
    """The names of backends that are `added`, `changed` and `removed` by *new*.

    Raises `ConfigError` if anything else differs that only a restart can change.
    """
    new = with_current_key(current, new)
    for key in type(current).model_fields:
        if key not in CHANGEABLE and getattr(current, key) != getattr(new, key):
            raise ConfigError(
                f"{key}: cannot change while the system runs; nothing was changed:"
                " run `down`, then `up`",
                field=key,
            )
    before, after = current.backends, new.backends
    return {
        "added": [name for name in after if name not in before],
        "changed": [name for name in after if name in before and after[name] != before[name]],
        "removed": [name for name in before if name not in after],
    }
