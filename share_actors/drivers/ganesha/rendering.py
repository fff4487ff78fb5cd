"""The configuration files of the unit's daemons, rendered from typed values.

Ganesha's parser has no escapes: a value that could end its quotation is refused instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, StrictInt

from share_actors.drivers.ganesha.rules import client_blocks, readable
from share_actors.drivers.ganesha.settings import GaneshaSettings
from share_actors.values import Frozen

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]{0,199}(/[A-Za-z0-9][A-Za-z0-9@._-]{0,199})?")
PLUGINS = "/usr/lib/*/ganesha/libfsalvfs.so"
HEADER = "# share_actors "

_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <deny user="*"/>
    <allow user="root"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
"""
_MAIN = """NFS_CORE_PARAM {{
  NFS_Port = {nfs_port};
  MNT_Port = {mount_port};
  Bind_addr = {address};
  Protocols = {protocols};
  Enable_NLM = false;
  Enable_RQUOTA = false;
  Enable_UDP = false;
  mount_path_pseudo = true;
{plugins}}}
NFSv4 {{
  Graceless = true;
  RecoveryBackend = fs;
  RecoveryRoot = {recovery};
  Minor_Versions = 0, 1, 2;
  Only_Numeric_Owners = true;
}}
EXPORT_DEFAULTS {{
  SecType = sys;
  PrivilegedPort = false;
  Access_Type = None;
  Transports = TCP;
  Protocols = {protocols};
}}
%include {exports}
"""


class ExportRecord(Frozen):
    """One export as it is stored: the first line of its file."""

    id: Annotated[StrictInt, Field(ge=1, le=65535)]
    name: str
    path: str
    clients: dict[str, str]
    """Address or network to "rw" or "ro", as the caller gave them."""


def is_name(name: str) -> bool:
    """Whether an export can have this name."""
    return _NAME.fullmatch(name) is not None


def checked_name(name: str) -> str:
    """*name*; raises `ValueError` if it is not the name of an export."""
    if not is_name(name):
        raise ValueError(
            f"the export name {name!r} is not one or two parts, separated by '/', of letters, digits and"
            " the characters @ . _ -, each beginning with a letter or digit"
        )
    return name


def quoted(value: str) -> str:
    """*value* in quotation marks; raises `ValueError` for one that could end them."""
    if not value.isprintable() or '"' in value or "\\" in value:
        raise ValueError(
            f"{value!r} cannot be written to NFS-Ganesha's configuration: rename it to a path without"
            " quotation marks, backslashes and control characters"
        )
    return f'"{value}"'


def export_file(record: ExportRecord) -> str:
    """The export file of *record*; raises `ValueError` for a name, path or client that it cannot have."""
    return "\n".join(
        [
            HEADER + record.model_dump_json(),
            "EXPORT {",
            f"  Export_Id = {record.id};",
            f"  Path = {quoted(record.path)};",
            f"  Pseudo = {quoted('/' + checked_name(record.name))};",
            "  Squash = No_Root_Squash;",
            *_client_lines(record.clients),
            "  FSAL { Name = VFS; }",
            "}",
            "",
        ]
    )


def _client_lines(clients: Mapping[str, str]) -> list[str]:
    return [
        f"  CLIENT {{ Clients = {', '.join(map(readable, block.networks))};"
        f" Access_Type = {block.level.upper()}; }}"
        for block in client_blocks(clients)
    ]


def main_config(settings: GaneshaSettings) -> str:
    """Ganesha's main configuration, which includes all permanent export files."""
    plugins = next(iter(sorted(Path("/").glob(PLUGINS.lstrip("/")))), None)
    return _MAIN.format(
        nfs_port=settings.nfs_port,
        mount_port=settings.mount_port,
        address=settings.address,
        protocols=", ".join(map(str, settings.versions)),
        recovery=quoted(str(settings.files.recovery)),
        exports=quoted(str(settings.files.all_exports)),
        plugins=f"  Plugins_Dir = {quoted(str(plugins.parent))};\n" if plugins else "",
    )


def bus_config(settings: GaneshaSettings) -> str:
    """The configuration of the private bus, which only root may use."""
    return _BUS.format(socket=settings.files.socket)
