"""The digest of what `ShareDriver.get_backend_info` returns: the same until the contents change. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Set
from typing import Any

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def digest(info: Any) -> str | None:
    """Return a digest of *info*, None for None; the info itself is not stored, because it may hold secrets.

    The order of keys and items does not count, nor where an object is in memory.
    """
    if info is None:
        return None
    text = json.dumps(_in_order(info), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _in_order(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): _in_order(item) for key, item in value.items()}
    if isinstance(value, list | tuple | Set):
        return sorted(map(_in_order, value), key=lambda item: json.dumps(item, sort_keys=True))
    return _ADDRESS.sub("", repr(value))
