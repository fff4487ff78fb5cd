"""The private smbd as a supervised unit."""

from __future__ import annotations

from share_actors.drivers.samba.programs import Programs
from share_actors.drivers.samba.settings import SambaSettings
from share_actors.drivers.supervision import DaemonSpec, SupervisedUnit


def samba_unit(settings: SambaSettings, programs: Programs) -> SupervisedUnit:
    """The supervisor of the smbd with these *settings*."""
    config = f"--configfile={settings.config_path}"
    return SupervisedUnit(
        settings.directory,
        DaemonSpec(
            name="smbd",
            command=("smbd", "--foreground", "--no-process-group", config),
            environment=programs.environment,
            marker=config,
            listen=(settings.address, settings.port),
            protocol="smb",
            heartbeat_limit_s=settings.heartbeat_limit,
            settings=settings.workgroup,
            network_namespace=settings.network_namespace,
            log=settings.log_path,
        ),
    )
