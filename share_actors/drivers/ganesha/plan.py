"""A private NFS-Ganesha as a supervised unit: its parts, and what the supervisor does for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from share_actors.drivers.base import TransientError
from share_actors.drivers.ganesha import namespaces
from share_actors.drivers.ganesha.bus import Heartbeat as BusHeartbeat
from share_actors.drivers.ganesha.bus import connect
from share_actors.drivers.ganesha.exports import ExportFiles
from share_actors.drivers.ganesha.rendering import bus_config, main_config
from share_actors.drivers.ganesha.settings import GaneshaSettings
from share_actors.drivers.supervision.plan import Heartbeat, Plan
from share_actors.drivers.supervision.probes import may_listen
from share_actors.drivers.supervision.specs import PartSpec, UnitSpec

RPCBIND_SOCKET = "/run/rpcbind.sock"
"""Where Ganesha expects rpcbind; the unit has a `/run` of its own."""
_FILES_A_TICK = 100
"""The export files that are read between two looks at the parts: 60 ms of work."""


def ganesha_spec(settings: GaneshaSettings) -> UnitSpec:
    """The unit of a bus, an rpcbind if version 3 is served, and NFS-Ganesha."""
    has_3 = 3 in settings.versions
    return UnitSpec(
        name=f"the NFS-Ganesha of {settings.directory}",
        parts=(_bus(settings), *((_rpcbind(settings),) if has_3 else ()), _ganesha(settings)),
        listen=(settings.address, settings.nfs_port),
        protocol=f"nfs{max(settings.versions)}",
        heartbeat_limit_s=settings.heartbeat_limit,
        settings=settings.model_dump_json(),
        network_namespace=settings.network_namespace,
        logs=(str(settings.files.log),),
        plan=f"{GaneshaPlan.__module__}:{GaneshaPlan.__name__}",
    )


def _bus(settings: GaneshaSettings) -> PartSpec:
    files = settings.files
    words = (f"--config-file={files.bus_config}", "--nofork", "--nopidfile", "--nosyslog")
    return PartSpec(
        name="bus",
        command=("dbus-daemon", *words),
        environment=_environment(settings),
        creates=str(files.socket),
    )


def _rpcbind(settings: GaneshaSettings) -> PartSpec:
    return PartSpec(
        name="rpcbind",
        command=("rpcbind", "-f"),
        environment=_environment(settings),
        creates=RPCBIND_SOCKET,
    )


def _ganesha(settings: GaneshaSettings) -> PartSpec:
    files = settings.files
    places = ("-f", str(files.config), "-L", str(files.log), "-p", str(files.ganesha_pid))
    return PartSpec(
        name="ganesha",
        command=("ganesha.nfsd", "-F", "-N", "NIV_EVENT", *places),
        environment=_environment(settings),
        patience_s=0.5,  # it closes what the clients have open
        start_s=120.0,
    )


def _environment(settings: GaneshaSettings) -> dict[str, str]:
    return {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={settings.files.socket}"}


class GaneshaPlan(Plan):
    """The steps of the supervisor of one NFS-Ganesha."""

    answers_before_it_serves = False
    """It is asked on its bus, which no rule of a firewall closes."""

    def __init__(self, directory: Path, spec: UnitSpec) -> None:
        super().__init__(directory, spec)
        self._settings = GaneshaSettings.model_validate_json(spec.settings)
        self._files = self._settings.files
        self._exports = ExportFiles(self._files)

    def enter(self) -> None:
        """Move into mounts of its own if the settings say so, or for an rpcbind."""
        settings = self._settings
        if not settings.own_mounts and 3 not in settings.versions:
            return
        if settings.mount_root is not None:
            namespaces.share_mounts_of(settings.mount_root)
        namespaces.enter_own_mounts(settings.directory)
        if settings.mount_root is not None:
            needed = [Path(found.path) for found in self._exports.records()]
            namespaces.leave_mounts((settings.directory, settings.mount_root, *needed))

    def prepare(self) -> None:
        """Write the configuration of the bus and of Ganesha, with all exports."""
        files = self._files
        files.bus_config.write_text(bus_config(self._settings), encoding="utf-8")
        files.ganesha_pid.unlink(missing_ok=True)
        files.config.write_text(main_config(self._settings), encoding="utf-8")
        files.all_exports.write_text(self._exports.restored(), encoding="utf-8")

    def serves(self) -> bool:
        """Whether Ganesha answers on its bus."""
        # To ask the bus again and again takes the time from it that the daemon needs to start.
        if not may_listen(*self.spec.listen):
            return False
        try:
            with connect(self._files.socket) as daemon:
                return daemon.shown(0) is not None
        except TransientError:
            return False

    def heartbeats(self) -> Sequence[Heartbeat]:
        """Ask the thread that changes exports, by the bus, besides those that serve clients."""
        limit = self.spec.heartbeat_limit_s
        bus = BusHeartbeat(self._files.socket, pause=self.pause_s, limit=limit)
        return [bus, *super().heartbeats()]

    def look_ahead(self) -> None:
        """Read export files that have changed."""
        self._exports.read_ahead(_FILES_A_TICK)
