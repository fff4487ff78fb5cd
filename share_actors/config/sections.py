"""The sections of the configuration: Ray, the log, hosting, backends, the scheduler, servers and audit."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from share_actors.config.validation import config_error
from share_actors.redaction import masked
from share_actors.values.base import take_known_fields
from share_actors.values.checks.limits import MAX_SECONDS

MAX_WEIGHT = 1_000_000
MAX_QUOTA = 2_147_483_647
"""The greatest limit of a quota: as many GiB as a share may have."""
_REDIS_ADDRESS = r"^(rediss?://)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9_.-]+):[1-9][0-9]{0,4}$"
Weight = Annotated[float, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT)]
QuotaLimit = Annotated[int, Field(ge=-1, le=MAX_QUOTA)]


class Section(BaseModel):
    """A table of the configuration; an invalid value raises `ConfigError`, which shows no secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    key_path: ClassVar[tuple[str, ...]] = ()
    """The section's key in the whole configuration, for errors."""

    @field_validator("*", mode="before")
    @classmethod
    def _check_no_truth_value(cls, value: object, info: ValidationInfo) -> object:
        """Refuse `true` for a number, which pydantic would take for 1."""
        annotation = repr(cls.model_fields[str(info.field_name)].annotation)
        number = re.search(r"\b(int|float)\b", annotation)
        if isinstance(value, bool) and number and "bool" not in annotation:
            raise ValueError("must be a number, not true or false")
        return value

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            keys = keys_of(type(self), self.key_path)
            raise config_error(error, self.key_path, keys) from None

    # The mark that pydantic gives its own `__init__`: a `Config` then validates its sections without
    # calling this one, so that the error names the complete key.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Take in a section, also of another version of the program, whose new keys are left out."""
        super().__setstate__(state)
        take_known_fields(self)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for key, value in super().__repr_args__():
            yield key, masked(".".join([*self.key_path, key or ""]), value)


class LogSettings(Section):
    """Where events are stored, and how."""

    key_path = ("log",)
    kind: Literal["sqlite", "postgresql"] = "sqlite"
    """`sqlite`: a file, for one node. `postgresql`: a database, for any number of nodes."""
    path: Path | None = None
    """SQLite: the log's file. Default: `log.db` in the system's home."""
    lock_timeout_s: Annotated[int, Field(ge=1, le=600)] = 30
    """How long to wait while another process writes to the log before failing."""
    host: str = "127.0.0.1"
    """PostgreSQL: a host name, or the directory of a Unix socket."""
    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    """PostgreSQL: the port."""
    database: str = "share_actors"
    """PostgreSQL: the database, which must exist."""
    user: str = "share_actors"
    """PostgreSQL: the role."""
    password: SecretStr = SecretStr("")
    """PostgreSQL: the role's password. Never shown."""
    schema_name: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")] = "public"
    """PostgreSQL: the schema, created if missing. Each system needs its own."""
    partitions: Annotated[int, Field(ge=1, le=32)] = 1
    """PostgreSQL: tables among which the streams are divided, so that several processes write at once."""
    compress: bool | Literal["dictionary"] = False
    """Compress each event: true (zlib), or `dictionary`, which makes it smaller and is faster."""
    cipher_key: SecretStr | None = None
    """Encrypt each event with AES-GCM under this key: 16, 24 or 32 bytes, in base64."""
    snapshot_every: Annotated[int, Field(ge=0)] = 100
    """Write a state snapshot after this many events of a stream; 0: never."""

    @field_validator("partitions")
    @classmethod
    def _check_partitions(cls, partitions: int, info: ValidationInfo) -> int:
        if partitions > 1 and info.data.get("kind") == "sqlite":
            raise ValueError(
                "is for log.kind postgresql: a SQLite file has one writer; set it to 1"
            )
        return partitions

    @field_validator("cipher_key")
    @classmethod
    def _check_cipher_key(cls, key: SecretStr | None) -> SecretStr | None:
        try:
            size = 16 if key is None else len(b64decode(key.get_secret_value(), validate=True))
        except ValueError:
            size = 0
        if size not in (16, 24, 32):
            raise ValueError("is not 16, 24 or 32 bytes in base64")
        return key


class RaySettings(Section):
    """The Ray that `share-actors up` starts: where it keeps its tables, and when a machine counts as lost."""

    key_path = ("ray",)
    redis_address: Annotated[str, Field(pattern=_REDIS_ADDRESS)] | None = None
    """Redis, as `HOST:PORT`, or `rediss://HOST:PORT` with TLS: actors outlive Ray's GCS. Default: memory."""
    redis_user: str = ""
    """The Redis user. Default: Redis's own default user."""
    redis_password: SecretStr = SecretStr("")
    """The user's password. Never shown, also not on a command line."""
    redis_namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")] | None = (
        None
    )
    """Prefix of the tables in Redis. Default: the namespace with a digest of the machine and the home."""
    node_silence_s: Annotated[float, Field(ge=10, le=600)] = 20.0
    """Of `up --listen` and on Kubernetes: a node that is silent for this long is lost, with its actors."""

    @field_validator("redis_address")
    @classmethod
    def _check_port(cls, address: str | None) -> str | None:
        if address is not None and int(address.rpartition(":")[2]) > 65535:
            raise ValueError("has a port above 65535")
        return address


class HostingSettings(Section):
    """The share actors: Ray actors that host shares and other entities."""

    key_path = ("hosting",)
    min_actors: Annotated[int, Field(ge=1, le=1000)] = 2
    """Number of share actors that start with the system."""
    max_actors: Annotated[int, Field(ge=1, le=1000)] = 2
    """Maximum number of share actors; more are started in the background."""
    entities_per_actor: Annotated[int, Field(ge=1)] = 100_000
    """Maximum number of active entities in a share actor; the longest idle one is passivated first."""
    idle_timeout_s: Annotated[float, Field(gt=0, le=MAX_SECONDS)] = 300.0
    """A share without commands for this long is passivated."""
    mailbox: Annotated[int, Field(ge=1)] = 1_000
    """Commands that may wait for one share; further ones are answered with Busy."""
    backlog: Annotated[int, Field(ge=1)] = 20_000
    """Commands that may wait in one actor, and in the manager; further ones are answered with Busy."""
    unresponsive_s: Annotated[float, Field(gt=0, le=MAX_SECONDS)] = 30.0
    """An actor whose process runs but which does not answer for this long is restarted."""
    recovery_at_once: Annotated[int, Field(ge=1, le=10_000)] = 50
    """How many shares with pending work are activated at a time, at start and after a crash."""
    hung_calls: Annotated[int, Field(ge=1)] = 1_000
    """An actor with this many driver calls beyond their deadline is restarted, which frees their threads."""

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.max_actors < self.min_actors:
            raise ValueError(
                f"max_actors {self.max_actors} is less than min_actors {self.min_actors}"
            )
        return self


class BackendSettings(Section):
    """A storage backend: its driver, the driver's options, and the limits for calls."""

    key_path = ("backends", "NAME")
    driver: str
    """`local`, `local-servers`, `btrfs`, `btrfs-servers`, `dummy`, or the name of an installed driver."""
    options: dict[str, Any] = {}
    """The driver's own options."""
    threads: Annotated[int | None, Field(ge=1, le=1000)] = None
    """Driver calls that run at once in each actor. Default: the driver's `calls_at_once`, 256 or 16."""
    timeout_s: Annotated[float, Field(gt=0, le=MAX_SECONDS)] = 300.0
    """A driver call that takes longer has an unknown outcome and is repeated."""
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 5
    """Maximum number of attempts at one effect before the share is in error."""
    max_cut_off: Annotated[int, Field(ge=1, le=1000)] = 10
    """Maximum number of attempts cut off by the end of their process before the share is in error."""
    backoff_s: Annotated[float, Field(ge=0, le=MAX_SECONDS)] = 1.0
    """Pause before the second attempt; each further pause is twice as long, up to `max_backoff_s`."""
    max_backoff_s: Annotated[float, Field(ge=0, le=MAX_SECONDS)] = 60.0
    """Longest pause between two attempts."""
    dedicated: bool = False
    """Host each share of this backend in its own share actor."""
    driver_handles_share_servers: bool = False
    """Place shares on share servers, which the driver sets up on share networks."""
    max_shares_per_server: Annotated[int, Field(ge=1)] | None = None
    """Maximum number of shares on a share server. Default: unlimited."""
    delete_server_with_last_share: bool = False
    """Delete a share server together with its last share, instead of after `servers.unused_minutes`."""
    availability_zone: str | None = None
    """Availability zone of the backend. Default: the one that the driver reports."""
    stats_timeout_s: Annotated[float, Field(gt=0, le=MAX_SECONDS)] = 30.0
    """A backend that does not report statistics within this time is down."""
    node: str | None = None
    """Ray resource of the nodes that can reach the backend. Its stats actor and shares run there, unless
    `backend move` says otherwise since this was set."""


class SchedulerSettings(Section):
    """How the scheduler weighs pools, and how often backends report statistics."""

    key_path = ("scheduler",)
    stats_period_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """How often the capabilities of each backend are published."""
    capacity_weight: Weight = 1.0
    """Weight of a pool's free capacity in the choice of a pool."""
    goodness_weight: Weight = 1.0
    """Weight of the goodness that a driver reports for a pool."""
    default_share_type: str | None = None
    """Share type of shares that are created without one."""
    first_stats_s: Annotated[float, Field(ge=0, le=MAX_SECONDS)] = 20.0
    """How long a creation waits in the manager for the first statistics of a backend; then it is *busy*."""


class QuotaSettings(Section):
    """The limits of projects for which no others were set (`share-actors quota set`); -1 is unlimited."""

    key_path = ("quotas",)
    shares: QuotaLimit = -1
    """How many shares a project may have."""
    gigabytes: QuotaLimit = -1
    """The size of all shares of a project together, in GiB."""
    snapshots: QuotaLimit = -1
    """How many snapshots a project may have."""
    snapshot_gigabytes: QuotaLimit = -1
    """The size of all snapshots of a project together, in GiB; each has the size of its share then."""
    share_networks: QuotaLimit = -1
    """How many share networks a project may have."""
    per_share_gigabytes: QuotaLimit = -1
    """The size of each share, in GiB."""


class ServerSettings(Section):
    """Deletion of unused share servers (Manila's `automatic_share_server_cleanup`)."""

    key_path = ("servers",)
    delete_free: bool = True
    """Delete unused share servers automatically."""
    unused_minutes: Annotated[int, Field(ge=10, le=60)] = 10
    """A share server is deleted after this many minutes without a share."""
    check_every_s: Annotated[float, Field(gt=0, le=MAX_SECONDS)] = 60.0
    """How often to look for unused servers."""


class AuditSettings(Section):
    """Signed checkpoints of the log, from which `log verify` finds what was changed in it."""

    key_path = ("audit",)
    checkpoints: Path | str | None = None
    """Directory for signed checkpoints, outside the log and best on another machine; or a URL such as
    `s3://BUCKET/PATH`, which fsspec reaches. Default: none."""
    every_s: Annotated[float, Field(gt=0, le=MAX_SECONDS)] = 60.0
    """How often a checkpoint is written if there are new events."""
    signer_file: Path | None = None
    """The private key that signs them, created if missing. Default: `checkpoint.key` in the home."""

    @field_validator("checkpoints", mode="before")
    @classmethod
    def _path_or_url(cls, value: object) -> object:
        return Path(value) if isinstance(value, str) and "://" not in value else value

    @field_validator("checkpoints", "signer_file")
    @classmethod
    def _check_absolute(cls, path: Path | str | None) -> Path | str | None:
        if isinstance(path, Path) and not path.is_absolute():
            raise ValueError("is not an absolute path")
        return path


Erasable = Literal["user", "project", "client", "text"]


class ErasureSettings(Section):
    """Personal data in the log that can be erased: sealed with a key for each data subject."""

    key_path = ("erasure",)
    seal: tuple[Erasable, ...] = ()
    """What is sealed in events from now on: `user`, `project`, `client`, `text`. Default: nothing."""
    store: Path | None = None
    """SQLite: the directory of the keys, outside the log. Default: `subjects` in the home."""

    @field_validator("store")
    @classmethod
    def _check_absolute(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_absolute():
            raise ValueError("is not an absolute path")
        return path


def keys_of(model: type[BaseModel], prefix: tuple[str, ...] = ()) -> list[str]:
    """Every key of *model* below *prefix*; NAME stands for the name of a backend."""
    keys = []
    for name, field in model.model_fields.items():
        path, kind = (*prefix, name), field.annotation
        keys.append(".".join(path))
        if isinstance(kind, type) and issubclass(kind, Section):
            keys += keys_of(kind, path)
        elif BackendSettings in get_args(kind):
            keys += keys_of(BackendSettings, (*path, "NAME"))
    return keys
