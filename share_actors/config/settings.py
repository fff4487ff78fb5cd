"""The configuration: a TOML file and SHARE_ACTORS_* variables, validated before anything starts.

Variables override the file; two underscores join the parts of a key: `SHARE_ACTORS_LOG__KIND`.
"""

from __future__ import annotations

import hashlib
import os
import socket
import tomllib
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from share_actors.config.observability import LoggingSettings, MetricsSettings, TracesSettings
from share_actors.config.sections import (
    AuditSettings,
    BackendSettings,
    ErasureSettings,
    HostingSettings,
    LogSettings,
    QuotaSettings,
    RaySettings,
    SchedulerSettings,
    ServerSettings,
    keys_of,
)
from share_actors.config.validation import check_variables, config_error, invalid_json_error
from share_actors.errors import ConfigError, showable, shown
from share_actors.values.base import take_known_fields
from share_actors.values.checks.ids import is_id
from share_actors.values.checks.text import PartError

PREFIX = "SHARE_ACTORS_"
COMMAND_LINE_VARIABLES = (
    *("CONFIG", "ADDRESS", "USER", "PROJECT", "ROLE"),
    *("JSON", "OUTPUT", "TIMES", "TIMEOUT", "DEBUG"),
)
"""Variables, without the prefix, that set options of the command line instead of keys."""


def default_home() -> Path:
    """The default directory of a system (XDG Base Directory Specification)."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(os.environ.get("SHARE_ACTORS_HOME") or Path(state) / "share-actors")


def _default_backends() -> dict[str, BackendSettings]:
    root = str(default_home() / "shares")
    return {"local": BackendSettings(driver="local", options={"root": root})}


class Config(BaseSettings):
    """The whole configuration; `share-actors config show` prints the one in effect."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] = "share-actors"
    """The Ray namespace. Each system on a cluster needs its own."""
    home: Path = Field(default_factory=default_home)
    """The system's directory, with its log, catalog and state. `XDG_STATE_HOME` changes the default."""
    ray: RaySettings = RaySettings()
    log: LogSettings = LogSettings()
    catalog_path: Path | None = None
    """SQLite: the catalog's file. Default: `catalog.db` beside the log. PostgreSQL: not used."""
    hosting: HostingSettings = HostingSettings()
    backends: dict[str, BackendSettings] = Field(default_factory=_default_backends, min_length=1)
    """The backends, by name."""
    default_backend: str | None = None
    """Backend of shares that are created without one. Default: the scheduler chooses among all."""
    scheduler: SchedulerSettings = SchedulerSettings()
    quotas: QuotaSettings = QuotaSettings()
    servers: ServerSettings = ServerSettings()
    audit: AuditSettings = AuditSettings()
    erasure: ErasureSettings = ErasureSettings()
    metrics: MetricsSettings = MetricsSettings()
    logging: LoggingSettings = LoggingSettings()
    traces: TracesSettings = TracesSettings()
    secrets_key: SecretStr | None = None
    """Key that seals secrets in the log: 64 bytes in base64. Default: `secrets.key` in the home."""

    @field_validator("backends")
    @classmethod
    def _check_backend_names(
        cls, backends: dict[str, BackendSettings]
    ) -> dict[str, BackendSettings]:
        for name in backends:
            if not is_id(name):  # it is part of hosts (`backend#pool`), addresses and metrics
                allowed = "1 to 64 letters, digits, '_', '.' and '-', the first a letter or digit"
                raise PartError(f"a backend's name is {allowed}", part="backends", value=name)
        return backends

    @field_validator("secrets_key")
    @classmethod
    def _check_secrets_key(cls, key: SecretStr | None) -> SecretStr | None:
        try:
            size = 64 if key is None else len(urlsafe_b64decode(key.get_secret_value()))
        except ValueError:
            size = 0
        if size != 64:
            raise ValueError("is not 64 bytes in base64")
        return key

    def __init__(self, **values: Any) -> None:
        """Raises `ConfigError` with the invalid key or variable. Unpickling does not validate again."""
        check_variables(os.environ, PREFIX, known_variables())
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise config_error(error, (), keys_of(type(self))) from None
        except SettingsError as error:
            raise invalid_json_error(error, PREFIX) from None
        if self.default_backend is not None:
            self.backend_name(self.default_backend, field="default_backend")

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Take in a configuration, also of another version of the program, whose new keys are left out."""
        super().__setstate__(state)
        take_known_fields(self)

    @property
    def log_path(self) -> Path:
        """The file of a SQLite log."""
        return self.log.path or self.home / "log.db"

    @property
    def catalog_file(self) -> Path:
        """The file of a SQLite catalog."""
        return self.catalog_path or self.log_path.with_name("catalog.db")

    @property
    def audit_signer_file(self) -> Path:
        """The file of the private key that signs checkpoints."""
        return self.audit.signer_file or self.home / "checkpoint.key"

    @property
    def redis_namespace(self) -> str:
        """The prefix of Ray's tables in Redis, which no other system has."""
        place = f"{socket.gethostname()}:{self.home.absolute()}".encode()
        default = f"{self.namespace}-{hashlib.sha256(place).hexdigest()[:12]}"
        return self.ray.redis_namespace or default

    @property
    def subject_keys_path(self) -> Path:
        """The directory of the keys of data subjects; not used with PostgreSQL."""
        return self.erasure.store or self.home / "subjects"

    @property
    def audit_origin(self) -> str:
        """The name of the log in its checkpoints, and of their key."""
        return f"share-actors/{self.namespace}"

    def backend_name(self, requested: str | None = None, *, field: str = "backend") -> str:
        """*requested*, or the default backend if None; raises `ConfigError` if it is not configured."""
        default = self.default_backend or next(iter(self.backends))
        name = default if requested is None else requested
        if not isinstance(name, str) or name not in self.backends:
            backends = ", ".join(self.backends)
            raise ConfigError(
                f"backend {shown(name)} is not configured; there are: {backends}",
                field=field,
                value=showable(name),
            )
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
        """The sources in descending priority: the environment, then the file (pydantic-settings)."""
        return env_settings, init_settings


def known_variables() -> set[str]:
    """The names of all variables that set something; `SECTION__` stands for those of a section."""
    keys = {PREFIX + key.upper().replace(".", "__") for key in keys_of(Config)}
    sections = {key.partition("__")[0] + "__" for key in keys if "__" in key}
    return keys | sections | {PREFIX + name for name in COMMAND_LINE_VARIABLES}


def load(path: Path | str | None = None) -> Config:
    """The configuration from the TOML file at *path* (None: no file), the environment and the defaults.

    Raises `ConfigError` with the invalid key and its value.
    """
    return build({} if path is None else _read_toml(path))


def _read_toml(path: Path | str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        problem = str(error.strerror)
    except (ValueError, RecursionError) as error:
        problem = f"not TOML: {error}"
    raise ConfigError(f"{path}: {problem}", field="config", value=str(path))


def build(values: dict[str, Any]) -> Config:
    """The validated configuration from *values*, as in the TOML file, and the environment."""
    return Config(**values)
