"""Read single values of a driver's statistics: each as its kind in `values.manila` has it. Never raises.

Each function returns the value to use and, if what was reported is odd, the problem.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from share_actors.values import parse_bool, parse_number
from share_actors.values.manila import MAX_GIB, Kind, Statistic

Read = tuple[Any, str | None]
MAX_SHOWN = 60
MAX_DEPTH = 6
MAX_ITEMS = 2_000
"""How many values one capability may consist of."""
MAX_TEXT = 2_000
_INFINITE = ("infinite", "infinity", "inf", "unlimited")


def read_value(row: Statistic, value: Any) -> Read:
    """Return the value of *row*, and the problem with *value*, if any."""
    return _READERS[row.kind](row, value)


def shown(value: Any) -> str:
    """Return *value* as one short printable text."""
    try:
        text = repr(value)
    except Exception:
        text = f"a {type(value).__name__}"
    text = "".join(c if c.isprintable() else "?" for c in text[: MAX_SHOWN + 1])
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def clean(text: str) -> str:
    """Return *text* without characters that have no place in JSON or on a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text[:MAX_TEXT])


# -- numbers -------------------------------------------------------------------------------------
def _capacity(row: Statistic, value: Any) -> Read:
    word = _word(value)
    if word == "unknown":
        return "unknown", None
    if word in _INFINITE or (isinstance(value, float) and value == math.inf):
        return "infinite", None
    number, problem = _number(row, value, low=0.0, high=math.inf)
    if problem is None and number > MAX_GIB:
        return "infinite", f"{shown(value)} is more than {MAX_GIB:g} GiB; 'infinite' is used"
    return number, problem


def _size(row: Statistic, value: Any) -> Read:
    if _word(value) in ("unknown", *_INFINITE):
        return row.default, None
    return _number(row, value, low=0.0, high=MAX_GIB)


def _word(value: Any) -> str:
    return value.strip().lower() if isinstance(value, str) else ""


def _percentage(row: Statistic, value: Any) -> Read:
    text = value.strip().removesuffix("%") if isinstance(value, str) else value
    return _number(row, text, low=0.0, high=100.0)


def _ratio(row: Statistic, value: Any) -> Read:
    return _number(row, value, low=1.0, high=MAX_GIB)


def _number(row: Statistic, value: Any, *, low: float, high: float) -> Read:
    """A number that is brought into its limits; the default if it is none."""
    number = parse_number(value)
    if number is None:
        return row.default, f"{shown(value)} is not a number; {_used(row.default)}"
    if number < low:
        words = "is not 0 or more" if low == 0 else f"is less than {low:g}"
        return low, f"{shown(value)} {words}; {_used(low)}"
    if number > high:
        return high, f"{shown(value)} is more than {high:g}; {_used(high)}"
    return number, None


def _used(value: Any) -> str:
    number = f"{value:g}" if isinstance(value, float) else repr(value)
    return "it is ignored" if value is None else f"{number} is used"


# -- truth values --------------------------------------------------------------------------------
def _boolean(row: Statistic, value: Any) -> Read:
    """A Boolean, or the list of those that the backend supports."""
    if isinstance(value, list | tuple | set | frozenset):
        found = [read for read in map(_as_bool, value) if read is not None]
        if found and len(found) == len(value):
            return found, None
    elif (read := _as_bool(value)) is not None:
        return read, None
    return row.default, f"{shown(value)} is not true or false; {_used(row.default)}"


def _as_bool(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in (0, 1):
        return value == 1
    return parse_bool(value) if isinstance(value, str) else None


# -- text ----------------------------------------------------------------------------------------
def _protocols(row: Statistic, value: Any) -> Read:
    texts, problem = _texts(row, value)
    if problem is not None:
        return texts, problem
    upper = [text.upper() for text in texts]
    return tuple(dict.fromkeys("CIFS" if text == "SMB" else text for text in upper)), None


def _texts(row: Statistic, value: Any) -> Read:
    """The texts in a list, or in one text between `_`, `,`, `/` or blanks."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple | set | frozenset):
        return row.default, f"{shown(value)} is not a list of strings; {_used(row.default)}"
    if not all(isinstance(item, str) for item in items):
        return row.default, f"{shown(value)} is not a list of strings; {_used(row.default)}"
    ordered = sorted(items) if isinstance(items, set | frozenset) else items
    words = (word for item in ordered for word in re.split(r"[_,;/|+\s]+", clean(item)))
    return tuple(dict.fromkeys(word for word in words if word)), None


def _text(row: Statistic, value: Any) -> Read:
    number = None if isinstance(value, str) else parse_number(value)
    text = value if isinstance(value, str) else "" if number is None else shown(value)
    if not text.strip():
        return row.default, f"{shown(value)} is not text; {_used(row.default)}"
    return clean(text), None


def _name(row: Statistic, value: Any) -> Read:
    """A printable name; None if there is none in *value*."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = shown(value)
    if not isinstance(value, str) or not value:
        return None, f"{shown(value)} is not a name"
    name = clean(value)
    printable = "".join(c if c.isprintable() else "?" for c in name)
    return printable, None if printable == value else f"{shown(value)} is not a name"


def _ignored(row: Statistic, value: Any) -> Read:
    return None, None


_READERS: Mapping[Kind, Callable[[Statistic, Any], Read]] = {
    "capacity": _capacity,
    "size": _size,
    "percentage": _percentage,
    "ratio": _ratio,
    "goodness": _percentage,
    "boolean": _boolean,
    "protocols": _protocols,
    "texts": _texts,
    "text": _text,
    "name": _name,
    "ignored": _ignored,
}


# -- a vendor's own capabilities -----------------------------------------------------------------
def read_capability(value: Any) -> Read:
    """Return *value* with nothing in it but what JSON has; None, and the problem, if that cannot be."""
    budget = iter(range(MAX_ITEMS))
    try:
        return _plain(value, MAX_DEPTH, budget), None
    except ValueError as error:
        return None, f"{shown(value)}: {error}; it is ignored"
    except Exception as error:  # from the driver's own containers
        return None, f"{shown(value)}: {type(error).__name__}; it is ignored"


def _plain(value: Any, depth: int, budget: Iterator[int]) -> Any:
    if depth == 0 or next(budget, None) is None:
        raise ValueError("it is nested too deeply or too long")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int):
        if abs(value) >= 2**63:
            raise ValueError("it is too large")
        return int(value)
    if isinstance(value, set | frozenset):
        return [_plain(item, depth - 1, budget) for item in sorted(value, key=repr)]
    if isinstance(value, list | tuple):
        return [_plain(item, depth - 1, budget) for item in value]
    if isinstance(value, Mapping):
        return {clean(str(k)): _plain(v, depth - 1, budget) for k, v in value.items()}
    number = parse_number(value)
    if number is None:
        raise ValueError(
            "it is not text, a finite number, true or false, or a list or mapping of these"
        )
    return number
