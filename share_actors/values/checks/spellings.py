"""How numbers and truth values are spelled in statistics and extra specs. Pure; nothing here raises."""

from __future__ import annotations

import math
import re
from typing import Any

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*", re.ASCII | re.IGNORECASE)
_TRUE = frozenset(("true", "yes", "on", "1", "t", "y"))
_FALSE = frozenset(("false", "no", "off", "0", "f", "n"))


def parse_bool(text: str) -> bool | None:
    """Read *text* as a Boolean, in Manila's spellings (`oslo_utils.strutils`); None if it is not one.

    `<is>` may precede it, as in an extra spec.
    """
    word = text.strip().removeprefix("<is>").strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


def parse_number(value: Any) -> float | None:
    """Read *value*, a number or its decimal text, as a finite number; None if it is not one.

    A Boolean is not a number.
    """
    if isinstance(value, str):
        number = float(value) if _NUMBER.fullmatch(value) else math.nan
    elif isinstance(value, bool | bytes | bytearray | memoryview):
        return None
    else:
        try:
            number = float(value)
        except Exception:  # whatever a number type of the driver raises
            return None
    return number if math.isfinite(number) else None
