"""Starting a Ray that ends with this process: none of its processes is left if it fails."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import ray
from ray._private.node import Node

from share_actors.errors import Unavailable

TIMED_OUT = "timed out"
"""What Ray says, in several ways, if one of its processes has not started within 30 s."""


def start_ray(options: Mapping[str, Any]) -> None:
    """Start a Ray and join it; a start that timed out is tried once more.

    Raises `Unavailable`; none of its processes is left then.
    """
    for is_last in (False, True):
        try:
            _init(options)
        except Exception as error:
            if is_last or not _has_timed_out(error):
                raise _not_started(error) from error
        else:
            return


def _has_timed_out(error: Exception) -> bool:
    return TIMED_OUT in str(error).lower()


def _init(options: Mapping[str, Any]) -> None:
    try:
        ray.init("local", **options)  # None would join a cluster that Ray finds
    except BaseException as error:
        for node in _half_started(error):
            node.kill_all_processes(check_alive=False, wait=True)
        ray.shutdown()
        raise


def _half_started(error: BaseException) -> Iterator[Node]:
    """The nodes whose start *error* has ended: Ray itself keeps only those that have started."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        node = frame.f_locals.get("self")
        if isinstance(node, Node) and frame.f_code.co_name == "__init__":
            yield node


def _not_started(error: Exception) -> Unavailable:
    advice = "Nothing was recorded, and no process of Ray was left running."
    if _has_timed_out(error):
        advice += " Try again when the machine is less busy: Ray gives up a start that takes 30 s."
    return Unavailable(f"Ray could not be started on this machine: {error}", next_step=advice)
