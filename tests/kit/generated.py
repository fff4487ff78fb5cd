"""Writes the package that `share-actors driver new acme` makes: `python -m tests.kit.generated`.

It is kept in `tests/kit/share-actors-acme`, so that `make check` checks its style and its types.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from share_actors.cli.driver_kit.package import DriverPackage

NAME = "acme"
KEPT = Path(__file__).with_name(f"share-actors-{NAME}")

if __name__ == "__main__":
    shutil.rmtree(KEPT, ignore_errors=True)
    package = DriverPackage(NAME, KEPT)
    package.check()
    package.write()
