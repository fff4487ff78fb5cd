"""`python -m tests.faults.unknown_deletion HOME ROOT ID STEP`: a system that is killed amid a deletion.

It deletes what only its backend has under ID, and kills itself before the STEPth line that the driver
executes for that; after the last one if STEP is greater. It prints how many there were.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import share_actors.drivers
from share_actors.config import BackendSettings, Config
from share_actors.testing import sync_system

DRIVERS = str(Path(share_actors.drivers.__file__).parent)
DELETIONS = ("delete_share", "delete_snapshot")


def config_of(home: Path, root: Path) -> Config:
    """A system with one backend of the driver `local`."""
    disk = BackendSettings(driver="local", backoff_s=0.01, options={"root": str(root)})
    return Config(home=home, backends={"disk": disk})


class Death:
    """A trace function for the threads of drivers: it ends the process in the call of a deletion."""

    def __init__(self, step: int) -> None:
        self.step, self.n = step, 0

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        """Trace the calls below `delete_share` and `delete_snapshot` of a driver."""
        code = frame.f_code
        is_deletion = code.co_name in DELETIONS and code.co_filename.startswith(DRIVERS)
        return self._traced if is_deletion else self._below(frame)

    def _below(self, frame: FrameType) -> Any:
        is_driver = frame.f_code.co_filename.startswith(DRIVERS)
        return self._traced if is_driver and self.n else None

    def _traced(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            self.n += 1
        ended = event == "return" and frame.f_code.co_name in DELETIONS
        if self.n == self.step or (ended and self.step):
            os.kill(os.getpid(), signal.SIGKILL)
        return self._traced


def main(home: str, root: str, item_id: str, step: str) -> None:
    """Delete what is unknown; see above."""
    death = Death(int(step))
    threading.settrace(death)
    with sync_system(config_of(Path(home), Path(root)), durable=True) as system:
        system.backends.delete_unknown("disk", item_id)
    print(death.n)


if __name__ == "__main__":
    main(*sys.argv[1:])
