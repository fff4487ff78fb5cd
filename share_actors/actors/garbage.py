"""How often a process with many long-lived objects looks for garbage: each time it looks at them all."""

from __future__ import annotations

import gc

_THRESHOLDS = (100_000, 50, 100)


def collect_rarely() -> None:
    """Collect garbage rarely from now on; states and rows make no cycles, so hardly any waits for it."""
    gc.set_threshold(*_THRESHOLDS)


def spare_present() -> None:
    """Have no collection look at the objects that there are now, such as all modules."""
    gc.freeze()
