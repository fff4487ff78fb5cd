"""A program that prints the facts of the Ray cluster at an address, without joining it.

It is a process of its own, so that the caller needs not import Ray, which reads its variables once, and is
not bound by Ray's timeouts. Prints a JSON document: the fields of `ClusterFacts`, or *error*.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.exceptions import AuthenticationError, RpcError

from share_actors.actors.runtime.joining.announcement import PREFIX, SUFFIX

CALL_TIMEOUT_S = 10.0
TOKEN, STARTING = "token", "starting"
"""The values of *error* that callers tell apart; another one is Ray's message."""


def main(address: str) -> None:
    """Print the document for the cluster at *address*."""
    try:
        document = _facts(GcsClient(address=address))
    except AuthenticationError:
        document = {"error": TOKEN}
    except RpcError as error:
        document = {"error": str(error)}
    print(json.dumps(document))


def _facts(client: Any) -> dict[str, Any]:
    metadata = client.internal_kv_get(b"CLUSTER_METADATA", b"cluster", timeout=CALL_TIMEOUT_S)
    if metadata is None:
        return {"error": STARTING}
    versions = json.loads(metadata)
    keys = client.internal_kv_keys(PREFIX.encode(), None, timeout=CALL_TIMEOUT_S)
    found = [key.decode() for key in keys if key.decode().endswith(SUFFIX)]
    told = {
        key: client.internal_kv_get(key.encode(), None, timeout=CALL_TIMEOUT_S) for key in found
    }
    systems = {
        key.removeprefix(PREFIX).removesuffix(SUFFIX): json.loads(text)
        for key, text in told.items()
        if text
    }
    session = client.internal_kv_get(b"session_name", b"session", timeout=CALL_TIMEOUT_S)
    return {
        "session": (session or b"").decode(),
        "ray": versions["ray_version"],
        "python": versions["python_version"],
        "systems": systems,
    }


if __name__ == "__main__":
    main(sys.argv[1])
