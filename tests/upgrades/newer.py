"""A newer version of the program: a copy of the package with a patch, in a directory for `PYTHONPATH`."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import share_actors

PACKAGE = Path(share_actors.__file__).parent
VERSION = "0.3.0"
Patch = Sequence[tuple[str, str, str]]
"""Of each change: the file, the text before, and the text after."""

EVENTS: Patch = (
    ("versions.py", 'VERSION = "0.2.0"', f'VERSION = "{VERSION}"'),
    ("versions.py", "PROTOCOL, OLDEST_PROTOCOL = 3, 2", "PROTOCOL, OLDEST_PROTOCOL = 4, 2"),
    # an event with another schema version, and its upcaster
    (
        "events/share/properties.py",
        '    """The share has these properties now, all of them."""\n',
        '    """The share has these properties now, all of them."""\n\n'
        "    schema_version: ClassVar[int] = 2\n    colour: str\n",
    ),
    (
        "events/share/properties.py",
        "    changed = ShareChanged(",
        '    changed = ShareChanged(colour="red",',
    ),
    (
        "events/log/upcasting.py",
        '        ("share.created", 1): _unchanged,\n',
        '        ("share.created", 1): _unchanged,\n'
        '        ("share.changed", 1): lambda fields: {**fields, "colour": "none"},\n',
    ),
    # an event with another topic
    (
        "events/share/properties.py",
        "PropertiesCommand = ChangeShare\nPropertiesEvent = ShareChanged\n",
        'class ShareFrozen(Event, topic="share.frozen"):\n    pass\n\n\n'
        "PropertiesCommand = ChangeShare\nPropertiesEvent = ShareChanged | ShareFrozen\n",
    ),
    (
        "events/share/properties.py",
        "== share else [changed]\n",
        "== share else [changed, *([ShareFrozen()] if 'frozen' in str(changed.name) else [])]\n",
    ),
    (
        "events/share/properties.py",
        '    """The state after *event*."""\n',
        "    if isinstance(event, ShareFrozen):\n        return state\n",
    ),
    # messages and values with further fields
    (
        "actors/messaging/messages.py",
        '    trace: str = ""\n\n    @property\n',
        '    trace: str = ""\n    hint: str = ""\n\n    @property\n',
    ),
    ("actors/ports.py", '    node: str = ""\n', '    node: str = ""\n    colour: str = ""\n'),
    (
        "actors/hosting/host.py",
        "            pid=os.getpid(),\n",
        "            pid=os.getpid(), colour='red',\n",
    ),
    ("values/context.py", "    user_id: ", "    colour: str = 'none'\n    user_id: "),
    (
        "config/sections.py",
        '    key_path = ("hosting",)\n',
        '    key_path = ("hosting",)\n    shade: int = 1\n',
    ),
)
"""An additional event, one with another schema version, and messages with further fields."""
HELD_BACK: Patch = (
    ("versions.py", "FORMAT = 1\n", "FORMAT = 2\n"),
    (
        "events/formats.py",
        "FORMATS = Formats(FORMAT, since=MappingProxyType({}), lower=MappingProxyType({}))",
        "FORMATS = Formats(\n    FORMAT,\n"
        '    since={("share.changed", 2): 2, ("share.frozen", 1): 2},\n'
        '    lower={("share.changed", 2): lambda f: {k: v for k, v in f.items() if k != "colour"}},\n)',
    ),
)
"""What `EVENTS` brings is of another format of the log: it is held back until the upgrade is finished."""


def copy(to: Path, *patches: Patch) -> Path:
    """A copy of the package in the directory *to*, with *patches*; returns *to*."""
    shutil.copytree(PACKAGE, to / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    for patch in patches:
        for name, before, after in patch:
            file = to / PACKAGE.name / name
            text = file.read_text(encoding="utf-8")
            assert text.count(before) == 1, f"{name}: {text.count(before)} times {before!r}"
            file.write_text(text.replace(before, after), encoding="utf-8")
    return to
