"""The record of exports and the smb.conf that is rendered from it, changed together."""

from __future__ import annotations

from collections.abc import Callable

from share_actors.drivers.base import DriverError
from share_actors.drivers.filesystem.durable import put_file
from share_actors.drivers.filesystem.os_errors import os_errors
from share_actors.drivers.samba import config
from share_actors.drivers.samba.config import Served
from share_actors.drivers.samba.exports import Export, Exports, read_exports, write_exports
from share_actors.drivers.samba.programs import Programs
from share_actors.drivers.samba.settings import SambaSettings


class Configuration:
    """The two files of one directory. Every method that changes them needs the lock of the directory."""

    def __init__(self, settings: SambaSettings, programs: Programs) -> None:
        self._settings, self._programs = settings, programs

    def recorded(self) -> dict[str, Export]:
        """The recorded exports. Raises `DriverError`."""
        with os_errors("read the exports of smbd"):
            return read_exports(self._settings.exports_path)

    def served(self) -> dict[str, Served]:
        """The shares of smb.conf as smbd understands it. Raises `DriverError`."""
        return config.served(self._programs.testparm(self._settings.config_path)[0])

    def is_rendered(self, exports: Exports) -> bool:
        """Whether smb.conf is what is rendered from *exports*."""
        path = self._settings.config_path
        return path.exists() and path.read_bytes() == self._text(exports)

    def record(self, exports: dict[str, Export]) -> None:
        """Replace the record alone: smb.conf is the same for *exports*."""
        write_exports(self._settings.exports_path, exports)

    def change(self, exports: dict[str, Export], check: Callable[[], None]) -> None:
        """Record *exports* and render smb.conf, if smbd accepts it and *check* does not raise."""
        text = self._accepted_text(exports)
        check()
        self.record(exports)
        put_file(self._settings.config_path, text)

    def restore(self, exports: Exports) -> bool:
        """Render smb.conf from *exports*, which are recorded; returns whether it was different."""
        if self.is_rendered(exports):
            return False
        put_file(self._settings.config_path, self._accepted_text(exports))
        return True

    def difference(self, exports: Exports) -> str | None:
        """How smb.conf differs from what is rendered from *exports*, in a sentence; None if it does not."""
        path = self._settings.config_path
        if self.is_rendered(exports):
            return None
        if not path.exists():
            return f"{path} is missing: start the backend, or apply the rules of any share again"
        found = config.difference(exports, self.served()) or "a parameter was changed"
        return f"{path} was changed by hand: {found}; the next change of any share restores it"

    def _text(self, exports: Exports) -> bytes:
        return config.rendered(self._settings, exports).encode()

    def _accepted_text(self, exports: Exports) -> bytes:
        """The text of smb.conf for *exports*; raises `DriverError` unless smbd understands exactly them."""
        text = self._text(exports)
        candidate = self._settings.config_path.with_name("smb.conf.candidate")
        put_file(candidate, text)
        try:
            parameters, complaints = self._programs.testparm(candidate)
        except DriverError as error:
            raise DriverError(_refused(str(error))) from None
        finally:
            candidate.unlink()
        refused = config.complaint(complaints) or config.difference(
            exports, config.served(parameters)
        )
        if refused:
            raise DriverError(_refused(refused))
        return text


def _refused(reason: str) -> str:
    return f"smbd refuses the new configuration: {reason}; the old one stays in force"
