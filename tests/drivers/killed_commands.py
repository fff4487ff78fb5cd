"""Drivers with a slow command, and processes that are killed amid it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest

from share_actors.drivers import ExecuteMixin, ExecuteOptions
from share_actors.drivers.execute import execute
from share_actors.drivers.fence import within_attempt
from share_actors.drivers.local import LocalDriver
from share_actors.values import RequestContext, Share
from tests.waiting import until

SHARE = Share(id="s1", size=1)
COMMAND = """
case "$1" in 6|first) echo $$ >"$0/pid"; while [ ! -e "$0/go" ]; do sleep 0.02; done;; esac
echo "$1" >"$0/value"
"""
"""Changes the value; to `6` or `first` when there is a file `go`."""
ROOT_COMMAND = """
%ENV = (PATH => '/bin'); defined($job = fork) or die; $job or exec 'sleep', 60;
$< = 0; for (['job', $job], ['pid', $$]) { open F, '>', $_->[0]; print F $_->[1]; close F }
select undef, undef, undef, 0.02 until -e 'go';
"""
"""Becomes a process of root, as `sudo` does; its job is one that its caller can kill."""
NOBODY = 65534
CLOSING = """
for f in /proc/$$/fd/*; do f=${f##*/}; [ "$f" -gt 2 ] && eval "exec $f>&-"; done; exec "$@"
"""
"""Runs a command without the files that it would inherit, as `sudo` does."""


class VolumeDriver(ExecuteMixin):
    """The driver of a third party, without locks of its own."""

    def __init__(self, directory: Path, prefix: tuple[str, ...] = ()) -> None:
        self.directory = directory
        self.configuration = ExecuteOptions(lock_path=directory / "locks", privileged_prefix=prefix)
        self.init_execute_mixin()

    def extend(self, context: RequestContext, value: str, **options: Any) -> None:
        with within_attempt(context, SHARE.id):
            self._execute("sh", "-c", COMMAND, self.directory, value, **options)


class CommandDriver(LocalDriver, ExecuteMixin):
    """A driver that extends a share by a command, under the lock of the share."""

    directory: ClassVar[Path]

    def extend_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        with self._share_lock("extend share", share.id, context):
            execute("sh", "-c", COMMAND, self.directory, new_size)


def attempt(number: int) -> RequestContext:
    return RequestContext(token=f"test:{number}")


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A directory whose slow command ends with the test."""
    yield tmp_path
    (tmp_path / "go").touch()
    until(lambda: not is_alive(tmp_path))


@pytest.fixture
def public() -> Iterator[Path]:
    """The same, which all users may use."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)
        (Path(name) / "go").touch()
        until(lambda: not is_alive(Path(name)))


def killed_amid(
    directory: Path, call: Callable[[], Any], when: Callable[[], bool] = lambda: True
) -> None:
    """Make the *call* in a process that gets `kill -9` amid its command, once *when* is true."""
    if (child := os.fork()) == 0:
        with suppress(BaseException):
            call()
        os._exit(0)
    until(lambda: is_alive(directory))
    until(when)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert is_alive(directory)


@contextmanager
def opened(directory: Path) -> Iterator[int]:
    """*directory*, opened."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


def is_alive(directory: Path, name: str = "pid") -> bool:
    """Whether the slow command, whose id is in the file *name*, has begun and not ended."""
    try:
        pid = int((directory / name).read_text())
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return False
