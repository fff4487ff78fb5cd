"""A private NFS-Ganesha for drivers that export directories, and the options of Manila's `GaneshaMixin`."""

from share_actors.drivers.ganesha.instances import GaneshaInstances
from share_actors.drivers.ganesha.mixin import GaneshaMixin, GaneshaOptions
from share_actors.drivers.ganesha.settings import GaneshaSettings
from share_actors.drivers.ganesha.unit import Ganesha

__all__ = ["Ganesha", "GaneshaInstances", "GaneshaMixin", "GaneshaOptions", "GaneshaSettings"]
