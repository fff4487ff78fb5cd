"""Fills in the manifests: a Ray cluster of KubeRay with a group of workers for each pinned backend."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from string import Template
from typing import NamedTuple

from share_actors.cli.ray_roles import node_checks
from share_actors.config import BackendSettings, Config
from share_actors.errors import ConfigError, InvalidRequest, shown

NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
"""Names of clusters: KubeRay appends up to 23 characters, and labels have at most 63."""
IMAGE = re.compile(r"[a-z0-9][A-Za-z0-9._:/@-]{0,254}")
ADDRESS = re.compile(r"(redis://|rediss://)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?")
SHARED = "shares"
"""The group of workers that may host shares of all backends that are not pinned."""


class Values(NamedTuple):
    """What the configuration does not say: its name and image, and where Redis and the password are."""

    image: str
    name: str = "share-actors"
    redis: str = "redis:6379"
    database_secret: str = "share-actors-db-app"

    def check(self) -> None:
        """Raise `InvalidRequest`, which names the option, for a value that Kubernetes would not accept."""
        patterns = {"image": IMAGE, "name": NAME, "redis": ADDRESS, "database_secret": NAME}
        for field, pattern in patterns.items():
            value = getattr(self, field)
            if not pattern.fullmatch(value):
                option = f"--{field.replace('_', '-')}"
                raise InvalidRequest(
                    f"{option} {shown(value)} can't be used: it must match {pattern.pattern}",
                    field=field,
                    value=value,
                )


class Rights(NamedTuple):
    """The security contexts of a group's pods and containers, as the contents of YAML mappings."""

    pod: str
    container: str


ORDINARY = Rights(
    "runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000",
    "allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}",
)
FILES = Rights(
    "runAsUser: 0",
    "allowPrivilegeEscalation: false, capabilities: {drop: [ALL], add: [CHOWN, DAC_OVERRIDE, FOWNER]}",
)
"""For a driver that sets owners and access control lists of files that users have created."""
MOUNTS = Rights("runAsUser: 0", "privileged: true")
"""For a driver that mounts, exports, or makes network namespaces."""
RIGHTS = {"local": FILES, "btrfs": MOUNTS, "btrfs-servers": MOUNTS, "local-servers": FILES}
"""Of the drivers that need more than `ORDINARY`, which a driver that calls a remote API has."""


def render(config: Config, configuration: str, values: Values, ray_version: str) -> str:
    """The manifests for *config*, whose file has the text *configuration*.

    Raises `ConfigError` if the log is a file, which pods do not share, and `InvalidRequest` for *values*.
    """
    values.check()
    if config.log.kind == "sqlite":
        raise ConfigError(
            "log.kind 'sqlite' works on one node only, and a cluster has several: set log.kind to"
            " 'postgresql'",
            field="log.kind",
            value="sqlite",
        )
    groups = "".join(_groups(config.backends, values))
    return _template("cluster").substitute(
        values._asdict(),
        configuration=json.dumps(configuration),
        ray_version=json.dumps(ray_version),
        redis=json.dumps(values.redis),
        image=json.dumps(values.image),
        worker_groups=groups,
        node_checks=_variables(node_checks(config.ray.node_silence_s)),
    )


def _variables(values: Mapping[str, str]) -> str:
    """The items of `env` for variables of the head, as lines of the manifest."""
    return "".join(
        f"          - {{name: {name}, value: {json.dumps(value)}}}\n"
        for name, value in values.items()
    )


def _groups(backends: Mapping[str, BackendSettings], values: Values) -> Iterator[str]:
    """The group of workers for each resource that backends are pinned to, and one for those that are not."""
    by_resource: dict[str | None, list[str]] = {}
    for name, backend in backends.items():
        by_resource.setdefault(backend.node, []).append(name)
    used: set[str] = set()
    for resource, names in by_resource.items():
        group = SHARED if resource is None else _group_name(resource)
        if group in used:
            raise ConfigError(
                f"backends.{names[0]}.node {shown(resource)}: another group of workers is called {group!r}",
                field=f"backends.{names[0]}.node",
                value=resource,
            )
        used.add(group)
        yield _group(group, resource, {name: backends[name] for name in names}, values)


def _group(
    group: str, resource: str | None, backends: Mapping[str, BackendSettings], values: Values
) -> str:
    rights = max(
        (RIGHTS.get(backend.driver, ORDINARY) for backend in backends.values()),
        key=(ORDINARY, FILES, MOUNTS).index,
    )
    what = "not pinned" if resource is None else f"pinned to {json.dumps(resource)}"
    return _template("worker-group").substitute(
        comment=f"Backends that are {what}: {', '.join(backends)}",
        name=values.name,
        image=json.dumps(values.image),
        group=group,
        replicas=2 if resource is None else 1,
        resources="" if resource is None else _resources(resource),
        pod_security=rights.pod,
        container_security=rights.container,
    )


def _resources(resource: str) -> str:
    """The parameter of `ray start`, which KubeRay puts into a shell command as it is."""
    in_shell = json.dumps(json.dumps({resource: 1}))
    return f"resources: {json.dumps(in_shell)}"


def _group_name(resource: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", resource.lower()).strip("-")
    if not name or len(name) > 40 or any(character in resource for character in "$`\\\n"):
        raise ConfigError(
            f"backends: node {shown(resource)} can't be the name of a group of workers",
            field="backends",
            value=resource,
        )
    return name


def _template(name: str) -> Template:
    return Template(files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8"))
