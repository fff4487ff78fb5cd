"""The commands of the scenarios in which a process dies at every point."""

from __future__ import annotations

from share_actors.events.decider import Command
from share_actors.events.share.access import AllowAccess, DenyAccess
from share_actors.events.share.ensure import EnsureShare
from share_actors.events.share.manage import UnmanageShare
from share_actors.events.share.messages import (
    DeleteShare,
    ExtendShare,
    LockShare,
    RestoreShare,
    RevertToSnapshot,
    ShrinkShare,
    SoftDeleteShare,
    UnlockShare,
)
from share_actors.events.share.snapshot.access import AllowSnapshotAccess, DenySnapshotAccess
from share_actors.events.share.snapshot.messages import (
    CreateSnapshot,
    DeleteSnapshot,
    UnmanageSnapshot,
)
from tests.faults.simulation import EPOCH, create

Groups = tuple[tuple[Command, ...], ...]

alice = AllowAccess(access_id="a", access_type="user", access_to="alice")
bob = AllowAccess(access_id="b", access_type="user", access_to="bob", access_level="ro")
take = CreateSnapshot(snapshot_id="n", at=EPOCH)
reader = AllowSnapshotAccess(snapshot_id="n", access_id="r", access_type="user", access_to="carol")
no_reader = DenySnapshotAccess(snapshot_id="n", access_id="r")
lock = LockShare(lock_id="l", at=EPOCH)
soft = SoftDeleteShare(grace_s=86400, at=EPOCH)
made: Groups = ((create(2),),)

SCENARIOS: dict[str, Groups] = {
    "create": made,
    "delete": (*made, (DeleteShare(),)),
    "extend": (*made, (ExtendShare(size=3),)),
    "shrink": (*made, (ShrinkShare(size=1),)),
    "allow": (*made, (alice,)),
    "allow two at once": (*made, (alice, bob)),
    "deny": (*made, (alice,), (DenyAccess(access_id="a"),)),
    "allow and deny at once": (*made, (alice, DenyAccess(access_id="a"))),
    "snapshot": (*made, (take,)),
    "delete a snapshot": (*made, (take,), (DeleteSnapshot(snapshot_id="n"),)),
    "deny a mounted snapshot": (*made, (take,), (reader,), (no_reader,)),
    "delete a mounted snapshot": (*made, (take,), (reader,), (DeleteSnapshot(snapshot_id="n"),)),
    "delete with mounted snapshots": (*made, (take,), (reader, DeleteShare(cascade=True))),
    "revert": (*made, (take,), (RevertToSnapshot(snapshot_id="n"),)),
    "allow while reverting": (*made, (take,), (RevertToSnapshot(snapshot_id="n"), alice)),
    "delete while reverting": (
        *made,
        (take,),
        (RevertToSnapshot(snapshot_id="n"), DeleteShare(cascade=True)),
    ),
    "delete with snapshots": (*made, (take,), (DeleteShare(cascade=True),)),
    "ensure": (*made, (EnsureShare(info="i"),)),
    "let go": (*made, (alice,), (UnmanageShare(),)),
    "let a snapshot go": (*made, (take,), (UnmanageSnapshot(snapshot_id="n"),)),
    "extend and ensure at once": (*made, (EnsureShare(info="i"), ExtendShare(size=3))),
    "allow while creating": ((create(2), alice),),
    "delete while creating": ((create(2), DeleteShare()),),
    "delete while extending": (*made, (ExtendShare(size=3), DeleteShare())),
    "delete softly": (*made, (alice, soft)),
    "delete softly and restore": (*made, (soft,), (RestoreShare(),)),
    "delete softly and then at once": (*made, (soft,), (DeleteShare(now=True),)),
    "lock and delete": (*made, (lock,), (DeleteShare(),), (UnlockShare(lock_id="l"),)),
    "all at once": (*made, (ExtendShare(size=3), alice, bob), (take, DenyAccess(access_id="b"))),
}
