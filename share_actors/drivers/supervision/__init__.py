"""Daemons of drivers that outlive the process that starts them: one supervisor for each directory."""

from share_actors.drivers.supervision.unit import DaemonSpec, SupervisedUnit

__all__ = ["DaemonSpec", "SupervisedUnit"]
