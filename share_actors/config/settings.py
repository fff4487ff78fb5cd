"""The configuration: one TOML file and SHARE_ACTORS_* variables, checked before anything starts.

Variables win over the file; nested names are joined by two underscores: `SHARE_ACTORS_LOG__KIND`.
"""

from __future__ import annotations

import os
import tomllib
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from share_actors.config.validation import check_variables, not_json, refusal
from share_actors.errors import ConfigError
from share_actors.redaction import masked

PREFIX = "SHARE_ACTORS_"
OF_THE_COMMAND_LINE = ("CONFIG", "ADDRESS", "USER", "PROJECT", "JSON", "DEBUG")
"""Variables that set no key, but options of the command line."""


def default_home() -> Path:
    """Where a system keeps its log and state unless told otherwise (XDG base directories)."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(os.environ.get("SHARE_ACTORS_HOME") or Path(state) / "share-actors")


class Section(BaseModel):
    """A table of the configuration; what cannot be raises `ConfigError` and shows no secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    at: ClassVar[tuple[str, ...]] = ()
    """Its place in the whole, for errors."""

    def __init__(self, **settings: Any) -> None:
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise refusal(error, self.at, keys_of(type(self), self.at)) from None

    # As pydantic marks its own: within a `Config` a section is then checked without this, so that
    # the error, which is the whole's, knows the whole key.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for key, value in super().__repr_args__():
            yield key, masked(".".join([*self.at, key or ""]), value)


class LogSettings(Section):
    """Where events are kept. `sqlite`: one node, a file. `postgresql`: any number of nodes."""

    at = ("log",)
    kind: Literal["sqlite", "postgresql"] = "sqlite"
    path: Path | None = None
    """SQLite: the log's file. Unset: `log.db` in the system's home."""
    lock_timeout_s: Annotated[int, Field(ge=1, le=600)] = 30
    host: str = "127.0.0.1"
    """PostgreSQL: a host name, or the directory of a Unix socket."""
    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    database: str = "share_actors"
    user: str = "share_actors"
    password: SecretStr = SecretStr("")
    schema_name: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")] = "public"
    compress: bool = False
    """Compress each event (zlib)."""
    cipher_key: SecretStr | None = None
    """Encrypt each event with AES-GCM under this key: 16, 24 or 32 bytes, in base64."""
    snapshot_every: Annotated[int, Field(ge=0)] = 100
    """Write a state snapshot after so many events of one stream; 0: never."""

    @field_validator("cipher_key")
    @classmethod
    def _is_a_key(cls, key: SecretStr | None) -> SecretStr | None:
        try:
            size = 16 if key is None else len(b64decode(key.get_secret_value(), validate=True))
        except ValueError:
            size = 0
        if size not in (16, 24, 32):
            raise ValueError("is not 16, 24 or 32 bytes in base64")
        return key


class HostingSettings(Section):
    """The Ray actors that shares live in."""

    at = ("hosting",)
    min_actors: Annotated[int, Field(ge=1, le=1000)] = 2
    max_actors: Annotated[int, Field(ge=1, le=1000)] = 2
    entities_per_actor: Annotated[int, Field(ge=1)] = 100_000
    idle_timeout_s: Annotated[float, Field(gt=0)] = 300.0
    mailbox: Annotated[int, Field(ge=1)] = 1_000
    """Commands that may wait for one share before the answer is Busy."""
    backlog: Annotated[int, Field(ge=1)] = 20_000
    """Commands that may wait in one actor, and in the manager, before the answer is Busy."""
    unresponsive_s: Annotated[float, Field(gt=0)] = 30.0
    """An actor that says nothing for so long, although its process is there, is restarted."""
    recovery_at_once: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Shares that owe work and are woken at a time, at start and after a loss."""
    hung_calls: Annotated[int, Field(ge=1)] = 16
    """An actor with so many driver calls stuck beyond the deadline is restarted: no thread can be ended."""

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.max_actors < self.min_actors:
            raise ValueError(
                f"max_actors {self.max_actors} is less than min_actors {self.min_actors}"
            )
        return self


class BackendSettings(Section):
    """One backend: which driver, with which options, and how patient to be with it."""

    at = ("backends", "NAME")
    driver: str
    options: dict[str, Any] = {}
    threads: Annotated[int, Field(ge=1, le=1000)] = 16
    """Driver calls at once in each actor."""
    timeout_s: Annotated[float, Field(gt=0)] = 300.0
    """A driver call that takes longer has an unknown outcome and is asked again."""
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 5
    max_cut_off: Annotated[int, Field(ge=1, le=1000)] = 10
    """After so many attempts whose process ended in the middle of the call, the share is in error."""
    backoff_s: Annotated[float, Field(ge=0)] = 1.0
    """The pause before the second attempt; it doubles up to `max_backoff_s`."""
    max_backoff_s: Annotated[float, Field(ge=0)] = 60.0
    dedicated: bool = False
    """Each share of this backend has a Ray actor to itself."""
    driver_handles_share_servers: bool = False
    """Its shares are on share servers, which the driver sets up on share networks."""
    max_shares_per_server: Annotated[int, Field(ge=1)] | None = None
    """A share server takes so many shares; unset: any number."""
    delete_server_with_last_share: bool = False
    """A share server goes with its last share, instead of when it was unused for long."""
    availability_zone: str | None = None
    """Where it is; unset: what its driver says."""
    stats_timeout_s: Annotated[float, Field(gt=0)] = 30.0
    """A backend that does not tell its statistics within this time has fallen silent."""
    node: str | None = None
    """A Ray resource that the nodes have which reach it: its stats actor, and its shares', run there."""


class SchedulerSettings(Section):
    """How pools are chosen, and how often backends tell of themselves."""

    at = ("scheduler",)
    stats_period_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """How often each backend's capabilities are published."""
    capacity_weight: float = 1.0
    """How much free room counts when a pool is chosen."""
    goodness_weight: float = 1.0
    """How much a backend's own opinion of itself counts."""
    default_share_type: str | None = None
    """The type of shares that name none."""
    first_stats_s: Annotated[float, Field(ge=0)] = 20.0
    """How long a creation waits, at start, for a backend that has not told of itself yet."""


class ServerSettings(Section):
    """Share servers that nobody uses (Manila's `automatic_share_server_cleanup`)."""

    at = ("servers",)
    delete_free: bool = True
    """Whether servers that nobody uses are torn down by themselves."""
    unused_minutes: Annotated[int, Field(ge=10, le=60)] = 10
    """After so long without a share a server is torn down; 10 to 60."""
    check_every_s: Annotated[float, Field(gt=0)] = 60.0
    """How often it is looked which those are."""


def _default_backends() -> dict[str, BackendSettings]:
    root = str(default_home() / "shares")
    return {"local": BackendSettings(driver="local", options={"root": root})}


class Config(BaseSettings):
    """Everything that can be set; see `share-actors config show` for what is in force."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] = "share-actors"
    """The Ray namespace: two systems on one cluster have two."""
    home: Path = Field(default_factory=default_home)
    log: LogSettings = LogSettings()
    catalog_path: Path | None = None
    """SQLite: the catalog's file. Unset: `catalog.db` beside the log. PostgreSQL: not used."""
    hosting: HostingSettings = HostingSettings()
    backends: dict[str, BackendSettings] = Field(default_factory=_default_backends, min_length=1)
    default_backend: str | None = None
    """Where shares go that name no backend. Unset: the scheduler chooses among all."""
    scheduler: SchedulerSettings = SchedulerSettings()
    servers: ServerSettings = ServerSettings()
    secrets_key: SecretStr | None = None
    """Seals what a log must not hold in plain text: 64 bytes in base64. Unset: `secrets.key` in the home."""

    @field_validator("secrets_key")
    @classmethod
    def _is_a_key(cls, key: SecretStr | None) -> SecretStr | None:
        try:
            size = 64 if key is None else len(urlsafe_b64decode(key.get_secret_value()))
        except ValueError:
            size = 0
        if size != 64:
            raise ValueError("is not 64 bytes in base64")
        return key

    def __init__(self, **settings: Any) -> None:
        """Raises `ConfigError`, naming the key or the variable; a pickled one is not checked again."""
        check_variables(os.environ, PREFIX, variables())
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise refusal(error, (), keys_of(type(self))) from None
        except SettingsError as error:
            raise not_json(error, PREFIX) from None
        if self.default_backend is not None:
            self.backend_name(self.default_backend, field="default_backend")

    @property
    def log_path(self) -> Path:
        return self.log.path or self.home / "log.db"

    @property
    def catalog_file(self) -> Path:
        return self.catalog_path or self.log_path.with_name("catalog.db")

    def backend_name(self, asked: str | None = None, *, field: str = "backend") -> str:
        """The backend that *asked*, or the default, names; raises `ConfigError` if there is none."""
        name = self.default_backend or next(iter(self.backends)) if asked is None else asked
        if not isinstance(name, str) or name not in self.backends:
            raise ConfigError(
                f"backend {name!r} is not configured; there are: {', '.join(self.backends)}",
                field=field, value=name,
            )  # fmt: skip
        return name

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings  # the environment wins over the file


def keys_of(model: type[BaseModel], at: tuple[str, ...] = ()) -> list[str]:
    """Every key beneath *model*; a backend is called NAME."""
    found = []
    for name, field in model.model_fields.items():
        key, kind = (*at, name), field.annotation
        found.append(".".join(key))
        if isinstance(kind, type) and issubclass(kind, Section):
            found += keys_of(kind, key)
        elif BackendSettings in get_args(kind):
            found += keys_of(BackendSettings, (*key, "NAME"))
    return found


def variables() -> set[str]:
    """The names of all variables that are heeded; `SECTION__` stands for those of a section."""
    keys = {PREFIX + key.upper().replace(".", "__") for key in keys_of(Config)}
    sections = {key.partition("__")[0] + "__" for key in keys if "__" in key}
    return keys | sections | {PREFIX + name for name in OF_THE_COMMAND_LINE}


def load(path: Path | str | None = None) -> Config:
    """Read the TOML file at *path* (none: only the environment and the defaults) and check it all.

    Raises `ConfigError` naming the key and the value.
    """
    settings: dict[str, Any] = {}
    if path is not None:
        try:
            settings = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(
                f"{path}: {error.strerror}", field="config", value=str(path)
            ) from None
        except (ValueError, RecursionError) as error:
            raise ConfigError(
                f"{path}: not TOML: {error}", field="config", value=str(path)
            ) from None
    return build(settings)


def build(settings: dict[str, Any]) -> Config:
    """The checked configuration that *settings* (as in the TOML file) and the environment make."""
    return Config(**settings)
