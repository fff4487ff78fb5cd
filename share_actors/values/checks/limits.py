"""The limits of texts and numbers from outside: the one table that the checks and the reference use."""

from __future__ import annotations

from typing import NamedTuple


class Limit(NamedTuple):
    """How many characters a text may have (or how many items a mapping), and what it is about."""

    subject: str
    least: int
    most: int
    unit: str = "characters"

    def check(self, text: str) -> str:
        """*text*; raises ValueError unless its length is within the limit."""
        if self.least <= len(text) <= self.most:
            return text
        if not text:
            raise ValueError("is empty")
        raise ValueError(f"has {len(text)} characters, and may have at most {self.most}")


NAME = Limit("Names of shares, snapshots, share networks and security services", 0, 255)
DESCRIPTION = Limit("Descriptions; they may have several lines", 0, 255)
REASON = Limit("Reasons of requests to forget something", 1, 255)
METADATA_KEY = Limit("Keys of metadata", 1, 255)
METADATA_VALUE = Limit("Values of metadata", 1, 1023)
METADATA_ITEMS = Limit("Metadata of a share", 0, 128, "items")
SPEC_KEY = Limit("Keys of extra specs", 1, 255)
SPEC_VALUE = Limit("Values of extra specs", 1, 255)
TYPE_NAME = Limit("Names of share types: letters, digits, '_', '.', '-'", 1, 64)
BACKEND_NAME = Limit(
    "Names of backends in the configuration: letters, digits, '_', '.', '-'", 1, 64
)
CLIENT = Limit("Users, groups and ceph ids of access rules (`access_to`)", 1, 255)
COMMON_NAME = Limit("Common names of certificates (`access_to`)", 1, 64)
WORD = Limit("Availability zones, and share types by name in requests", 1, 255)
HINTS = Limit("Shares in a scheduler hint (`same_host`, `different_host`)", 0, 100, "items")
HOST = Limit("Hosts: `backend` or `backend#pool`", 0, 255)
SERVICE_TEXT = Limit("Texts of a security service, such as `server` and `domain`", 0, 255)
PROJECT = Limit("Projects that may use a share type", 1, 255)
COMMAND_ID = Limit("Command ids", 1, 255)
LOCATION = Limit("Provider locations of snapshots", 1, 1023)
OPTIONS = Limit("Driver options of a request, as JSON", 0, 65_536)
OPTIONS_DEPTH = Limit("Driver options of a request", 0, 8, "levels")

LIMITS = (
    *(
        NAME,
        DESCRIPTION,
        REASON,
        METADATA_KEY,
        METADATA_VALUE,
        METADATA_ITEMS,
        SPEC_KEY,
        SPEC_VALUE,
    ),
    *(
        TYPE_NAME,
        BACKEND_NAME,
        CLIENT,
        COMMON_NAME,
        WORD,
        HINTS,
        HOST,
        SERVICE_TEXT,
        PROJECT,
    ),
    *(COMMAND_ID, LOCATION, OPTIONS, OPTIONS_DEPTH),
)
"""Every limit, in the order of the reference."""

MAX_SECONDS = 31_536_000.0
"""The longest time that a setting or a timeout may be: a year."""
