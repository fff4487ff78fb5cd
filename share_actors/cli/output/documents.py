"""Results for programs: JSON, YAML and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from share_actors.cli.output.cells import csv_cell
from share_actors.values.checks.escaping import CONTROL
from share_actors.values.checks.urls import without_url_passwords

_ENDLESS = 2**31 - 1
"""The width of lines of YAML: they are not wrapped."""


def json_text(document: Any, indent: int | None = None) -> str:
    """*document* as JSON in ASCII, with the newlines of *indent* as its only control characters."""
    text = json.dumps(document, indent=indent, default=str).replace("\x7f", "\\u007f")
    return without_url_passwords(text)


def plain_data(document: Any) -> Any:
    """*document* as a reader of its JSON gets it."""
    return json.loads(json_text(document))


def yaml_text(document: Any, encoding: str) -> str:
    """*document* as YAML, from which `yaml.safe_load` reads what JSON would give."""
    data = plain_data(document)
    if encoding.lower().replace("-", "") == "utf8":
        text = _yaml(data, allow_unicode=True)
        if not CONTROL.search(text.replace("\n", "")):
            return text
    return _yaml(data, allow_unicode=False)


def _yaml(data: Any, *, allow_unicode: bool) -> str:
    import yaml  # noqa: PLC0415 - only for this format

    def dumped(dumper: Any, width: int = _ENDLESS) -> str:
        styled = {"allow_unicode": allow_unicode, "default_flow_style": False, "width": width}
        text: str = yaml.dump(data, Dumper=dumper, sort_keys=False, **styled)
        return text.removesuffix("...\n")

    try:
        return dumped(getattr(yaml, "CSafeDumper", yaml.SafeDumper))  # ten times faster
    except UnicodeEncodeError:  # lone surrogates, which only the one in Python escapes
        return dumped(yaml.SafeDumper)


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """*rows* as CSV (RFC 4180, but with newlines instead of CR LF)."""
    return "".join(f"{_csv_line([csv_cell(value) for value in row])}\n" for row in rows)


def _csv_line(cells: Sequence[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)  # its CR LF makes it quote both, which other endings do not
    return written.getvalue().removesuffix("\r\n")
