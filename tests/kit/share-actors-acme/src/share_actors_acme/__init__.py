"""The driver `acme` for share-actors."""

from share_actors_acme.driver import AcmeDriver
from share_actors_acme.options import AcmeOptions

__all__ = ["AcmeDriver", "AcmeOptions"]
