"""A private smbd for drivers that export shares over CIFS."""

from share_actors.drivers.samba.names import UserName, checked_user
from share_actors.drivers.samba.samba import Samba
from share_actors.drivers.samba.sessions import Client, Cut
from share_actors.drivers.samba.settings import SambaSettings

__all__ = ["Client", "Cut", "Samba", "SambaSettings", "UserName", "checked_user"]
