"""Names of namespaces and interfaces: all begin with the prefix of their backend, so that strays are found.

The kernel allows 15 characters for an interface.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

_TAG = 8
_REST = re.compile(r"[-nVXG][a-z2-7]{8}|[vxgu][0-9]{1,8}")
_KINDS = {"vlan": "v", "vxlan": "x", "gre": "g"}


def default_prefix(root: Path) -> str:
    """The prefix of the backend with this root directory."""
    return f"sa{_hashed(str(root))[:4]}"


class Names:
    """The names with *prefix*, which has 6 characters: none is the beginning of another."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def server(self, server_id: str) -> str:
        """The name of a server's namespace, and of the interface that connects it with its bridge."""
        return f"{self.prefix}-{tag(server_id)}"

    def bridge(self, network: Any) -> str:
        """The bridge of the segment that *network* (`NetworkInfo`) is on; without an id, of it alone."""
        number = network["segmentation_id"]
        kind = _KINDS.get(network["network_type"])
        if number is None:
            return f"{self.prefix}n{_hashed(network['network_id'])[:_TAG]}"
        if kind is None:  # flat networks with a number, or `none` with one
            return f"{self.prefix}n{_hashed(network['network_type'], str(number))[:_TAG]}"
        if 0 <= number < 10**_TAG:
            return f"{self.prefix}{kind}{number}"
        return f"{self.prefix}{kind.upper()}{_hashed(str(number))[:_TAG]}"

    def uplink(self, vlan_id: int) -> str:
        """The interface that connects the bridge of a VLAN with the network of the machine."""
        return f"{self.prefix}u{vlan_id}"

    def is_own(self, name: str) -> bool:
        """Whether *name* can be one of these names."""
        return name.startswith(self.prefix) and _REST.fullmatch(name, len(self.prefix)) is not None


def tag(server_id: str) -> str:
    """A short word for the server in names and paths."""
    return _hashed(server_id)[:_TAG]


def _hashed(*words: str) -> str:
    digest = hashlib.blake2b("\0".join(words).encode(), digest_size=10).digest()
    return base64.b32encode(digest).decode().lower()
