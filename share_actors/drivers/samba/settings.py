"""Where a private smbd has its files and listens."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from share_actors.drivers.base import DriverOptions
from share_actors.drivers.samba.names import check_path

MAX_DIRECTORY = 72
"""In bytes: smbd makes sockets below the directory, whose paths may have at most 107."""


class SambaSettings(DriverOptions):
    """One smbd of its own: it shares no file and no process with the smbd of the machine."""

    directory: Path
    """An absolute path for configuration, users, locks and logs; created if it is missing."""
    address: str = "127.0.0.1"
    """The one address that it listens on, IPv4 or IPv6; an interface must have it."""
    port: Annotated[int, Field(ge=1, le=65_535)] = 445
    network_namespace: (
        Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] | None
    ) = None
    """The name of the network namespace (`ip netns`) that it listens in. Default: the caller's."""
    workgroup: Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9-]{0,14}$")] = "WORKGROUP"

    heartbeat_limit: Annotated[float, Field(gt=0)] = 30.0
    """How long smbd may leave a client's offer unanswered before it is restarted, in seconds."""

    @field_validator("directory")
    @classmethod
    def _usable(cls, directory: Path) -> Path:
        if len(str(directory).encode()) > MAX_DIRECTORY:
            raise ValueError(f"has more than {MAX_DIRECTORY} bytes, too many for paths of sockets")
        return Path(check_path(str(directory)))

    @field_validator("address")
    @classmethod
    def _one_address(cls, address: str) -> str:
        parsed = ipaddress.ip_address(address)
        if parsed.is_unspecified or parsed.is_multicast:
            raise ValueError("must be one address of an interface")
        if "%" in address:
            raise ValueError("must not have a zone")
        return str(parsed)

    # -- files below the directory -------------------------------------------------------------
    @property
    def config_path(self) -> Path:
        """The configuration that smbd reads."""
        return self.directory / "smb.conf"

    @property
    def exports_path(self) -> Path:
        """The record that the configuration is rendered from."""
        return self.directory / "exports.json"

    @property
    def passwd_path(self) -> Path:
        """The Unix accounts that only smbd and pdbedit see."""
        return self.directory / "passwd"

    @property
    def group_path(self) -> Path:
        """The Unix groups that only smbd and pdbedit see."""
        return self.directory / "group"

    @property
    def pid_path(self) -> Path:
        """The file in which smbd writes its process id."""
        return self.directory / "pid" / "smbd.pid"

    @property
    def log_path(self) -> Path:
        """The log of smbd."""
        return self.directory / "log.smbd"
