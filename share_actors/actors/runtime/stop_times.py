"""How long the parts of a stop may take, in seconds; for those who wait for a stop, without importing Ray."""

from __future__ import annotations

MANAGER_STOP_TIMEOUT_S = 60.0
"""How much longer than the driver calls the manager may take to stop."""
CATALOG_STOP_TIMEOUT_S = 30.0
RAY_STOP_TIMEOUT_S = 30.0
"""How long the processes of Ray may take to end before they are killed."""
KILL_TIMEOUT_S = 15.0
"""How long killed processes may take to end."""


def longest_stop_s(driver_calls_s: float) -> float:
    """How long `down` takes at most, if it lets driver calls go on for *driver_calls_s*."""
    actors = MANAGER_STOP_TIMEOUT_S + CATALOG_STOP_TIMEOUT_S
    return driver_calls_s + actors + RAY_STOP_TIMEOUT_S + KILL_TIMEOUT_S
