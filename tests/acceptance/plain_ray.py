"""A Ray program that does not import this package: it calls the manager's verbs with plain values.

Its arguments: the cluster's address, the system's namespace, and JSON: a list of [verb, args, keywords].
It writes a JSON list of results: {"result": ...} or {"error": its type, "field", "value", "text"}.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import ray
from ray.exceptions import RayTaskError


def main(address: str, namespace: str, steps: str) -> None:
    ray.init(address, namespace=namespace, log_to_driver=False, logging_level=logging.ERROR)
    manager = ray.get_actor("manager")
    json.dump([result_of(manager, *step) for step in json.loads(steps)], sys.stdout)


def result_of(manager: Any, verb: str, args: list[Any], keywords: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": ray.get(getattr(manager, verb).remote(*args, **keywords))}
    except RayTaskError as error:
        cause: Any = error.cause
        kind = type(cause).__name__
        return {"error": kind, "field": cause.field, "value": cause.value, "text": str(cause)}


if __name__ == "__main__":
    main(*sys.argv[1:])
