"""Messages between the console and its process that is connected to the system: pickles with their length."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

HEADER_BYTES = 8
LIMIT_BYTES = 1 << 20
"""How much of a stream is read ahead."""


async def read_frame(reader: asyncio.StreamReader) -> Any:
    """The next message; raises `EOFError` (`IncompleteReadError`) at the end. Only from an own process."""
    size = int.from_bytes(await reader.readexactly(HEADER_BYTES), "big")
    return pickle.loads(await reader.readexactly(size))


def frame(message: object) -> bytes:
    """*message* as it is sent."""
    content = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return len(content).to_bytes(HEADER_BYTES, "big") + content
