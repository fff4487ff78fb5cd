"""The private smbd as a supervised unit."""

from __future__ import annotations

from share_actors.drivers.samba.programs import Programs
from share_actors.drivers.samba.settings import SambaSettings
from share_actors.drivers.supervision.specs import PartSpec, UnitSpec
from share_actors.drivers.supervision.unit import SupervisedUnit


def samba_unit(settings: SambaSettings, programs: Programs) -> SupervisedUnit:
    """The supervisor of the smbd with these *settings*."""
    config = f"--configfile={settings.config_path}"
    smbd = PartSpec(
        name="smbd",
        command=("smbd", "--foreground", "--no-process-group", config),
        environment=programs.environment,
        marker=config,
        patience_s=5.0,
        start_s=20.0,
    )
    spec = UnitSpec(
        name="smbd",
        parts=(smbd,),
        listen=(settings.address, settings.port),
        protocol="smb",
        heartbeat_limit_s=settings.heartbeat_limit,
        settings=settings.workgroup,
        network_namespace=settings.network_namespace,
        logs=(str(settings.log_path),),
        outlives_supervisor=True,
    )
    return SupervisedUnit(settings.directory, spec)
