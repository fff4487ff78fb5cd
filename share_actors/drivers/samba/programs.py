"""The programs of Samba, run on the private configuration and with the private Unix accounts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from share_actors.drivers.base import DriverError, TransientError
from share_actors.drivers.execute import ProcessExecutionError, execute
from share_actors.drivers.fence import check_deadline, current_attempt
from share_actors.drivers.samba.settings import SambaSettings

PACKAGES = {
    "smbd": "samba",
    "pdbedit": "samba",
    "smbcontrol": "samba",
    "smbstatus": "samba",
    "testparm": "samba-common-bin",
}
"""The programs that are run, with the Debian package of each."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TIMEOUT_S = 30.0


class Programs:
    """Runs the programs of Samba for one `SambaSettings`. Methods raise `DriverError`."""

    def __init__(self, settings: SambaSettings) -> None:
        self._settings = settings

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which programs see the private accounts, and no others."""
        return {
            "PATH": PATH,
            "LANG": "C.UTF-8",
            "LD_PRELOAD": "libnss_wrapper.so",
            "NSS_WRAPPER_PASSWD": str(self._settings.passwd_path),
            "NSS_WRAPPER_GROUP": str(self._settings.group_path),
        }

    def require(self) -> None:
        """Raise `DriverError`, with the package to install, if a program is missing."""
        for name, package in PACKAGES.items():
            if shutil.which(name, path=PATH) is None:
                raise DriverError(f"{name} is not installed: install the Debian package {package}")
        out, _ = self._run("getent", "passwd", "root")
        if (
            str(self._settings.directory) not in out
        ):  # ld.so goes on without a library that is missing
            raise DriverError(
                "libnss_wrapper.so is missing: install the Debian package libnss-wrapper"
            )

    def testparm(self, config: Path) -> tuple[str, str]:
        """The (parameters, complaints) of the file *config* as smbd understands it."""
        return self._run("testparm", "--suppress-prompt", config)

    def control(self, destination: str | int, *message: str) -> bool:
        """Send *message* to `smbd` or to one of its processes; returns False if there is no such process."""
        try:
            self._run(
                "smbcontrol",
                *self._configuration,
                "-t",
                3,
                destination,
                *message,
            )
        except ProcessExecutionError as error:
            if error.exit_code is None:
                raise TransientError(str(error)) from None
            return False
        return True

    def status(self) -> str:
        """The JSON of `smbstatus`."""
        return self._run("smbstatus", *self._configuration, "--json")[0]

    def pdbedit(
        self, *options: str, stdin: str | None = None, missing_is_fine: bool = False
    ) -> None:
        """Change the database of passwords; a password goes through *stdin* and appears in no message."""
        self._run(
            "pdbedit",
            *self._configuration,
            *options,
            stdin=stdin,
            accepted=(0, 255) if missing_is_fine else (0,),
        )

    @property
    def _configuration(self) -> tuple[str, str]:
        """The option that names smb.conf, in other words than smbd's: its supervisor ends what has those."""
        return "-s", str(self._settings.config_path)

    def _run(
        self, *command: object, stdin: str | None = None, accepted: tuple[int, ...] = (0,)
    ) -> tuple[str, str]:
        check_deadline(str(command[0]))
        environment = {**self.environment, "HOME": os.environ.get("HOME", "/")}
        return execute(
            *command,
            input=stdin,
            env=environment,
            check_exit_code=accepted,
            timeout_s=min(TIMEOUT_S, current_attempt().remaining_s),
        )
