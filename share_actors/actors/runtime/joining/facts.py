"""What is known of a cluster, and whether this machine may join it; without importing Ray."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple, Self

from share_actors.errors import ConfigError, InvalidRequest, Refused, shown
from share_actors.values import Frozen

UNKNOWN = "unknown"
"""The version of a package that is not installed but runs from its source."""


class SystemFacts(Frozen):
    """What a system tells machines that join its cluster.

    *program* is its version of share_actors, *log* is the kind of its log, *backends* has the Ray resource
    that each backend is pinned to, or None.
    """

    program: str
    log: str
    backends: dict[str, str | None]

    @classmethod
    def told(cls, document: Mapping[str, Any]) -> Self:
        """The facts in what a system told; one of a later version may tell more."""
        return cls(**{name: document[name] for name in cls.model_fields})


class ClusterFacts(Frozen):
    """The versions of Ray and Python of a cluster, its systems by namespace, and Ray's name of it."""

    ray: str
    python: str
    systems: dict[str, SystemFacts] = {}
    session: str = ""


class OwnVersions(NamedTuple):
    """The versions on this machine."""

    ray: str
    python: str
    program: str


def own_versions() -> OwnVersions:
    """The versions of the programs that run here."""
    return OwnVersions(version("ray"), platform.python_version(), program_version())


def program_version() -> str:
    """The version of the installed package; `UNKNOWN` for source code that is not installed."""
    try:
        return version("share-actors")
    except PackageNotFoundError:
        return UNKNOWN


def check_joinable(cluster: ClusterFacts, own: OwnVersions, *, any_version: bool = False) -> None:
    """Raise `Refused` or `ConfigError` if this machine would not work as a node of the cluster.

    With *any_version* it may have another version of share_actors than the systems on the cluster.
    """
    _check_same(
        "Ray", "ray", own.ray, cluster.ray, f"Install it here: pip install 'ray=={cluster.ray}'."
    )
    step = f"Use Python {cluster.python} here: Ray requires the same version on all nodes."
    _check_same("Python", "python", own.python, cluster.python, step)
    for namespace, system in sorted(cluster.systems.items()):
        if system.log == "sqlite":
            raise ConfigError(
                f"the system {namespace!r} of this cluster has log.kind 'sqlite', which works on one node"
                " only",
                field="log.kind",
                value="sqlite",
                next_step="Nothing was started. Move its log to PostgreSQL first: see"
                " docs/how-to/run-on-many-machines.md.",
            )
        if not any_version:
            _check_same(
                f"share_actors of the system {namespace!r}",
                "share_actors",
                own.program,
                system.program,
                f"Install that version here: pip install 'share-actors=={system.program}'. For an upgrade"
                " node by node, repeat the command with --any-version.",
            )


def _check_same(what: str, field: str, own: str, theirs: str, next_step: str) -> None:
    if own != theirs:
        raise Refused(
            f"the cluster runs version {theirs} of {what}, and this machine has {own}; nothing was started",
            field=field,
            value=own,
            next_step=next_step,
        )


def resources_of(backends: tuple[str, ...], known: Mapping[str, str | None]) -> Iterator[str]:
    """The Ray resource of each of *backends*; *known* has those of all backends.

    Raises `ConfigError` for a backend that does not exist, `InvalidRequest` for one that is not pinned.
    """
    for name in backends:
        if name not in known:
            raise ConfigError(
                f"backend {shown(name)} is not configured; there are: {', '.join(sorted(known)) or 'none'}",
                field="backend",
                value=name,
            )
        resource = known[name]
        if resource is None:
            raise InvalidRequest(
                f"backend {name} is not pinned: any node may host its shares, and needs no resource for it",
                field="backend",
                value=name,
                next_step=f"Leave it out, or pin it: `node` in [backends.{name}].",
            )
        yield resource
