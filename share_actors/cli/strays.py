"""What killed processes have left of share servers: the option `--strays` of `share-actors doctor`."""

from __future__ import annotations

from collections.abc import Iterable

from share_actors.cli.output import escape
from share_actors.cli.session import Session
from share_actors.drivers import DriverError, FindsStrays, ShareDriver
from share_actors.errors import OperationFailed


def show_strays(
    session: Session, drivers: Iterable[tuple[str, ShareDriver]], *, delete: bool
) -> None:
    """List the strays of each backend whose driver can find them; with *delete*, delete them first."""
    found = {
        name: _strays(name, driver, delete)
        for name, driver in drivers
        if isinstance(driver, FindsStrays)
    }
    if session.json:
        session.output.print_json({"deleted": delete, "strays": found})
        return
    for name, strays in found.items():
        for stray in strays:
            session.output.print(f"{escape(name)}: {escape(stray)}{' deleted' if delete else ''}")
    if not any(found.values()):
        session.output.print("No strays.")


def _strays(name: str, driver: FindsStrays, delete: bool) -> list[str]:
    try:
        return list(driver.strays(delete=delete))
    except DriverError as error:
        raise OperationFailed(
            f"backend {name!r}: {error}",
            field=f"backends.{name}",
            next_step="Run it as root; what was deleted before stays deleted.",
        ) from None
