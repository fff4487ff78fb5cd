"""The only package that imports Ray."""

import os
import sys

PARENT = {"RAY_RAYLET_PID": "1"}
"""Keeps Ray from ending a program whose parent has ended.

Ray ends a process that leaves a cluster which is gone if the parent of the process is process 1: it takes
the parent for the raylet, unless this variable names another living process. Ray reads the variable when it
is imported, and sets it for its own workers.
"""
OUTAGE = {"RAY_gcs_rpc_server_reconnect_timeout_s": "1000000"}
"""How long a program that has joined a cluster may be without its head: Ray would end it after 60 s.

Ray reads the variable when it is imported, and again when told to.
"""
_TOO_LATE = "ray._raylet" in sys.modules and not PARENT.keys() <= os.environ.keys()
os.environ.update({name: value for name, value in PARENT.items() if name not in os.environ})


def may_leave_a_lost_cluster() -> bool:
    """Whether Ray lets this process go on when it leaves a cluster that is gone."""
    return not _TOO_LATE or os.getppid() != 1
