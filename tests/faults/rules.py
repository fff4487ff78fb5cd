"""`python -m tests.faults.rules`: what users of the machine can do after random histories of access rules.

python -m tests.faults.rules --histories 1000     prints the counts as JSON; `mismatches` must be 0
python -m tests.faults.rules --seed 7 --histories 1   one history
python -m tests.faults.rules --minutes 10         as many of 1,000 histories as fit

A history allows and denies, creates and links files as users, also to places out of the share, changes modes,
and manages the share anew; the
process that changes the rules is killed at any entry, at times again and again, before a last one completes
the change. After each step every user tries to read, write, create and delete, in a process of that user; a
model that knows only the rules says what must succeed. After a kill nobody may do more than the new rules
say. It needs root and a filesystem with POSIX ACLs.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from share_actors.drivers.filesystem import granting, linked_files
from share_actors.drivers.local import LocalDriver, LocalOptions
from share_actors.values import AccessRule, RequestContext, Share
from tests.faults.users import GROUPS, GUESTS, STAFF, as_user, attempts_on, create, opened

CONTEXT = RequestContext()
PRINCIPALS = [*map(str, GROUPS), f"@{STAFF}", f"@{GUESTS}"]
LEVELS = ("ro", "rw")
Mismatch = tuple[int, str, str, str]
"""The user, what was tried, what the rules say, and what happened."""


class KilledDriver(LocalDriver):
    """A local driver whose process is killed at a check before a change, `left` checks from now."""

    left = 0

    @contextmanager
    def _share_lock(self, *args: Any, **options: Any) -> Iterator[Any]:
        with super()._share_lock(*args, **options) as fence:
            fence.check = self._check  # type: ignore[method-assign]
            yield fence

    def _check(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class World:
    """One share, its rules, and what its users can do with it."""

    root: Path
    random: random.Random
    rules: dict[str, str] = field(default_factory=dict)
    linked: list[tuple[Path, Path, tuple[int, int, str]]] = field(default_factory=list)
    shares: int = 0
    kills: int = 0
    links: int = 0
    """How many links to files of the share users have made at another place."""
    tries: Counter[str] = field(default_factory=Counter)
    """How many attempts of users succeeded, and how many the machine refused."""
    found: list[Mismatch] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.driver = LocalDriver(configuration=LocalOptions(root=self.root), backend_name="here")
        self.driver.do_setup(CONTEXT)
        self.share = Share(id="s0", size=1)
        self.driver.create_share(CONTEXT, self.share)
        self.foreign = self.root / "shares" / "foreign"
        self.foreign.mkdir(mode=0o711)
        self.elsewhere = self.root / "shares" / "elsewhere"
        self.elsewhere.mkdir()
        self.elsewhere.chmod(0o1777)
        self.top.joinpath("first").write_text("first")

    @property
    def top(self) -> Path:
        """The directory of the share."""
        return self.root / "shares" / self.share.id

    def level(self, user: int) -> str:
        """What the rules say: a rule for the user, else the best of the groups' rules, else nothing."""
        if own := self.rules.get(str(user)):
            return own
        return max((self.rules.get(f"@{g}", "") for g in GROUPS[user]), default="")

    # -- steps ---------------------------------------------------------------------------------
    def step(self) -> None:
        """Change the rules, after up to three changes of the content."""
        for _ in range(self.random.randrange(4)):
            self.change_content()
        self.random.choices([self.allow, self.deny, self.replace, self.manage], [4, 3, 2, 1])[0]()

    def allow(self) -> None:
        """Allow a user or group, or change the level of its rule."""
        self.rules[self.random.choice(PRINCIPALS)] = self.random.choice(LEVELS)
        self.apply()

    def deny(self) -> None:
        """Remove a rule; at times by the method for a single one."""
        if self.rules:
            principal = self.random.choice(sorted(self.rules))
            removed = rule(principal, self.rules.pop(principal))
            if self.random.random() < 0.5:
                self.driver.deny_access(CONTEXT, self.share, removed)
        self.apply()

    def replace(self) -> None:
        """Replace all rules by others, in any order."""
        chosen = self.random.sample(PRINCIPALS, self.random.randrange(len(PRINCIPALS)))
        self.rules = {principal: self.random.choice(LEVELS) for principal in chosen}
        self.apply()

    def manage(self) -> None:
        """Unmanage the share, open it to the world or leave it, and manage it as another share."""
        self.driver.unmanage(self.share)
        if self.random.random() < 0.5:
            for path in [self.top, *self.top.rglob("*")]:
                if not any(path.samefile(inside) for inside, _, _ in self.linked):
                    os.chown(path, self.random.choice(list(GROUPS)), STAFF)
                    path.chmod(self.random.choice([0o777, 0o3777]))
        self.shares += 1
        old, self.share = self.top, Share(id=f"s{self.shares}", size=1)
        self.linked = [(self.top / i.relative_to(old), o, kept) for i, o, kept in self.linked]
        self.driver.manage_existing(self.share, {"path": str(old)})
        self.rules = {}

    def apply(self) -> None:
        """Make the rules those of the share, as the system does."""
        rules = [rule(principal, level) for principal, level in self.rules.items()]
        self.random.shuffle(rules)
        while self.random.random() < 0.3 and self.killed(rules):
            self.kills += 1
            self.found += self.mismatches(interrupted=True)
            self.change_content()
        assert not self.driver.update_access(CONTEXT, self.share, rules, rules, ())

    def killed(self, rules: list[AccessRule]) -> bool:
        """Change the rules in a process that is killed meanwhile; false if it completes the change."""
        left = self.random.randrange(3, 30)
        if (child := os.fork()) == 0:
            granting.SAVE_EVERY = 2
            driver = KilledDriver(configuration=self.driver.configuration, backend_name="here")
            driver.left = left
            driver.update_access(CONTEXT, self.share, rules, rules, ())
            os._exit(0)
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])

    # -- content -------------------------------------------------------------------------------
    def change_content(self) -> None:
        """Do what users do between two changes of the rules."""
        ways = [self.create, self.change_mode, self.link, self.link_elsewhere, self.move]
        self.random.choice(ways)()

    def create(self) -> None:
        """Create a directory and files as a user, if the rules permit it."""
        user, name = self.random.choice(list(GROUPS)), f"n{self.random.getrandbits(40):x}"
        as_user(user, lambda: create(self.random.choice(self.folders()), name))

    def change_mode(self) -> None:
        """Change the mode of a file or directory as its owner."""
        path = self.random.choice([*self.files(), *self.folders()[1:]])
        mode = self.random.choice([0o000, 0o600, 0o666, 0o777, 0o4777, 0o3777])
        if (owner := path.stat().st_uid) in GROUPS:
            as_user(owner, lambda: path.chmod(mode))

    def link(self) -> None:
        """Link a file of another share into this one, and a file of this share a second time."""
        user = self.random.choice(list(GROUPS))
        outside = self.foreign / f"f{self.random.getrandbits(40):x}"
        inside = self.random.choice(self.folders()) / f"linked-{outside.name}"
        outside.write_text("foreign")
        os.chown(outside, user, user)
        outside.chmod(0o600)
        if self.random.random() < 0.5:  # what another share's rules gave
            os.setxattr(outside, "user.note", b"kept")
        os.link(outside, inside)
        self.linked.append((inside, outside, _traits(outside)))

    def link_elsewhere(self) -> None:
        """Link a file of the share to another place as a user, and at times to the share again."""
        files, able = self.files(), [user for user in GROUPS if self.level(user) == "rw"]
        user, file = self.random.choice(able or list(GROUPS)), self.random.choice(files)
        again, name = self.random.choice(self.folders()), f"e{self.random.getrandbits(40):x}"
        places = [self.elsewhere / name, *([again / name] if self.random.random() < 0.5 else [])]
        if len(files) > 1:  # one file stays without links, to be tried
            self.links += as_user(user, *(partial(os.link, file, place) for place in places))[0]

    def move(self) -> None:
        """Move a directory into another as a user."""
        user, (one, two) = (
            self.random.choice(list(GROUPS)),
            self.random.choices(self.folders(), k=2),
        )
        if one != self.top:
            as_user(user, lambda: one.rename(two / one.name))
            self.linked = [
                (two / one.name / i.relative_to(one), o, kept)
                if i.is_relative_to(one) and not i.exists()
                else (i, o, kept)
                for i, o, kept in self.linked
            ]

    def folders(self) -> list[Path]:
        """The share's directories, the topmost first."""
        return [self.top, *sorted(p for p in self.top.rglob("*") if p.is_dir())]

    def files(self) -> list[Path]:
        """The share's files that have no links elsewhere."""
        paths = sorted(p for p in self.top.rglob("*") if p.is_file())
        return [p for p in paths if p.stat().st_nlink == 1]

    # -- the oracle ----------------------------------------------------------------------------
    def mismatches(self, *, interrupted: bool = False) -> Iterator[Mismatch]:
        """What a user can do and must not; unless *interrupted*, also what must be possible and is not."""
        targets = [(self.random.choice(self.files()), self.random.choice(self.folders()))]
        if interrupted:  # any file may be one that is not changed yet
            targets = [(file, file.parent) for file in self.files()]
        for user in GROUPS:
            level = self.level(user)
            attempts = [attempt for target in targets for attempt in attempts_on(self.top, *target)]
            if not level:
                attempts += [(f"reach {i}", 1, i.stat) for i, _, _ in self.linked]
            done = as_user(user, *(run for _, _, run in attempts))
            self.tries.update("succeeded" if succeeded else "refused" for succeeded in done)
            for (tried, needed, _), succeeded in zip(attempts, done, strict=True):
                permitted = {"": 0, "ro": 1, "rw": 2}[level] >= needed
                if succeeded > permitted or (succeeded < permitted and not interrupted):
                    yield user, tried, level or "none", str(succeeded)
        for _, outside, kept in self.linked:
            if _traits(outside) != kept:
                yield 0, f"keep {outside}", str(kept), str(_traits(outside))
        if not interrupted:
            yield from self._mismatches_elsewhere()

    def _mismatches_elsewhere(self) -> Iterator[Mismatch]:
        """What users can do with files of the share, and must not, through links at another place."""
        inside = {path.stat().st_ino for path in self.top.rglob("*") if path.is_file()}
        links = [link for link in self.elsewhere.iterdir() if link.stat().st_ino in inside]
        for user in GROUPS if links else ():
            level = self.level(user)
            denied = [] if level else [("read", partial(opened, link, "rb")) for link in links]
            if level != "rw":
                denied += [("write", partial(opened, link, "r+b")) for link in links]
            for (tried, _), succeeded in zip(
                denied, as_user(user, *(d for _, d in denied)), strict=True
            ):
                if succeeded:
                    yield user, f"{tried} elsewhere", level or "none", "True"


def _traits(path: Path) -> tuple[int, int, str]:
    status = path.stat()
    return status.st_mode, status.st_uid, ",".join(sorted(os.listxattr(path)))


def rule(principal: str, level: str) -> AccessRule:
    """A rule for a user or a group."""
    return AccessRule(
        id=f"{principal}-{level}",
        access_type="user",
        access_to=principal,
        access_level="rw" if level == "rw" else "ro",
    )


def run_history(seed: int, steps: int = 6) -> World:
    """The history of *seed*; `found` has the mismatches after each step and each kill."""
    with (
        tempfile.TemporaryDirectory(prefix="share-actors-rules-") as directory,
        patch.object(
            linked_files, "groups_of", lambda user: GROUPS.get(user, [])
        ),  # the machine knows no such users
    ):
        os.chmod(directory, 0o711)
        world = World(Path(directory, "root"), random.Random(seed))
        for _ in range(steps):
            world.step()
            world.found += world.mismatches()
        return world


def main() -> int:
    """Run the histories; exit status 1 if a user could do anything else than the rules say."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.rules", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--histories", type=int, default=1000, help="the number of histories")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the first history")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin none after that")
    options = parser.parse_args()
    until = time.monotonic() + options.minutes * 60
    logging.disable(logging.WARNING)  # of files with several hard links
    counts: Counter[str] = Counter(mismatches=0)
    examples = []
    for seed in range(options.seed, options.seed + options.histories):
        if time.monotonic() > until:
            break
        world = run_history(seed)
        found = world.found
        counts.update(
            histories=1,
            mismatches=len(found),
            kills=world.kills,
            links_elsewhere=world.links,
            **world.tries,
        )
        examples += [(seed, *mismatch) for mismatch in found[:1]]
    print(json.dumps({**counts, "examples": examples[:10]}))
    return 1 if counts["mismatches"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
