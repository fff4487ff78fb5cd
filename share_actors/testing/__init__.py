"""For tests of aggregates, drivers and whole systems: public, and as stable as the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from share_actors.testing.spec import Spec

if TYPE_CHECKING:
    from share_actors.testing.driver_contract import DriverContract as DriverContract

__all__ = ["DriverContract", "Spec"]


def __getattr__(name: str) -> Any:
    """`DriverContract` on first use: it needs pytest, and `Spec` does not."""
    if name != "DriverContract":
        raise AttributeError(f"module 'share_actors.testing' has no attribute {name!r}")
    from share_actors.testing.driver_contract import DriverContract  # noqa: PLC0415

    return DriverContract
