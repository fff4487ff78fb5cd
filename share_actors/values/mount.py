"""How a client mounts a share, and whether an access rule lets everyone in. Pure."""

from __future__ import annotations

import re
import shlex
from ipaddress import ip_network

from share_actors.values.share import AccessRule, ExportLocation, Share, Snapshot

_NFS_PATH = re.compile(r"(?:\[[^\]\s]+\]|[^\s:/\[\]]+):/\S*")
_CIFS_PATH = re.compile(r"//[^\s/]+/\S+")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)


def mount_command(share: Share | Snapshot, location: ExportLocation) -> str | None:
    """What a user types to mount *share* by *location*; None if its path is none of NFS or CIFS.

    The directory is `/mnt/` with its name, or its id if it has no name that is plain. A snapshot is mounted
    read-only.
    """
    options, protocol = location.options, location.protocol or share.share_proto
    if protocol == "NFS" and _NFS_PATH.fullmatch(location.path):
        kind, path = "nfs", location.path
    elif protocol == "CIFS" and _CIFS_PATH.fullmatch(path := location.path.replace("\\", "/")):
        kind = "cifs"
        options = (
            options
            if "username=" in options
            else ",".join(filter(None, ("username=USER", options)))
        )
    else:
        return None
    if isinstance(share, Snapshot):
        options = ",".join(filter(None, ("ro", options)))
    named = share.name is not None and _PLAIN_NAME.fullmatch(share.name)
    words = ["mount", "-t", kind, *(["-o", options] if options else []), path]
    return shlex.join([*words, f"/mnt/{share.name if named else share.id}"])


def is_for_world(rule: AccessRule) -> bool:
    """Whether *rule* lets every address in: `0.0.0.0/0`, `::/0`, or another network without a prefix."""
    if rule.access_type != "ip":
        return False
    try:
        return ip_network(rule.access_to, strict=False).prefixlen == 0
    except ValueError:
        return False
