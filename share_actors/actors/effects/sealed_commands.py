"""The secrets of commands: sealed before anything is recorded, and opened for the driver's call."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from share_actors.actors.effects.share_driver_calls import DriverEffect
from share_actors.actors.messaging.messages import CommandMessage
from share_actors.actors.sealing import Sealer
from share_actors.config import BackendSettings
from share_actors.drivers.registry import load_driver
from share_actors.errors import ConfigError
from share_actors.events.decider import Command
from share_actors.events.share.manage import ManageExisting, ManageShare
from share_actors.events.share.snapshot.messages import ManageExistingSnapshot, ManageSnapshot
from share_actors.events.share_network import AddSecurityService
from share_actors.redaction import without_url_passwords
from share_actors.values import SecurityService
from share_actors.values.secret import Sealed


def sealed_command(
    command: Command,
    address: str,
    sealer: Callable[[], Sealer],
    backends: Mapping[str, BackendSettings],
) -> Command:
    """*command* to the entity at *address* with its secrets sealed, as the log may hold them."""
    match command:
        case AddSecurityService(service=service) if service.password is not None:
            password = sealer().seal(service.password, address, _password_field(service))
            return command.replace(service=service.replace(password=password))
        case ManageShare(driver_options=options) if options:
            public = _public_options(backends.get(command.spec.backend))
            sealed = _sealed_options(options, address, _OPTIONS, sealer(), public)
            return command.replace(driver_options=sealed)
        case ManageSnapshot(driver_options=options) if options:
            field = _snapshot_options(command.snapshot_id)
            sealed = _sealed_options(options, address, field, sealer(), ())
            return command.replace(driver_options=sealed)
        case _:
            return command


def without_secrets(message: CommandMessage, sealed: Command) -> CommandMessage:
    """*message* with the *sealed* command as its body, of which a fingerprint is recorded."""
    return message._replace(body=sealed.model_dump_json().encode())


def opened_effect(
    effect: DriverEffect, share_id: str, sealer: Callable[[], Sealer]
) -> DriverEffect:
    """*effect* with the options that the driver gets in plain text; raises `ConfigError` as `Sealer.open`."""
    match effect:
        case ManageExisting(driver_options=options):
            field = _OPTIONS
        case ManageExistingSnapshot(driver_options=options):
            field = _snapshot_options(effect.snapshot_id)
        case _:
            return effect
    opened = {
        name: json.loads(sealer().open(value, share_id, f"{field}.{name}"))
        if isinstance(value, Sealed)
        else value
        for name, value in options.items()
    }
    return effect.replace(driver_options=opened)


def opened_services(
    services: Collection[SecurityService], network: str, sealer: Sealer
) -> tuple[SecurityService, ...]:
    """The security services of the *network* at that address, with their passwords unsealed."""
    return tuple(
        s
        if s.password is None
        else s.replace(password=sealer.open(s.password, network, _password_field(s)))
        for s in services
    )


_OPTIONS = "driver_options"


def _snapshot_options(snapshot_id: str) -> str:
    return f"snapshots.{snapshot_id}.{_OPTIONS}"


def _password_field(service: SecurityService) -> str:
    return f"security_services.{service.id}.password"


def _public_options(settings: BackendSettings | None) -> Collection[str]:
    """The options of managing that the backend's driver declares public; none if it cannot be loaded."""
    try:
        return load_driver(settings.driver).public_manage_options if settings is not None else ()
    except ConfigError:
        return ()


def _sealed_options(
    options: Mapping[str, Any], address: str, field: str, sealer: Sealer, public: Collection[str]
) -> dict[str, Any]:
    return {
        name: value
        if _is_public(name, value, public)
        else sealer.seal(json.dumps(value), address, f"{field}.{name}")
        for name, value in options.items()
    }


def _is_public(name: str, value: Any, public: Collection[str]) -> bool:
    """Whether an option may be recorded as it is: nothing else could be a secret but a text or a number."""
    if value is None or isinstance(value, bool):
        return True
    text = json.dumps(value)
    return name in public and without_url_passwords(text) == text
