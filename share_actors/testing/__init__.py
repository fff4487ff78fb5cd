"""For tests of aggregates, drivers and whole systems: public, and as stable as the rest."""

from share_actors.testing.spec import Spec

__all__ = ["Spec"]
