"""The room in a pool, by the arithmetic of Manila's `CapacityFilter` and `CapacityWeigher`. Pure.

Two things differ. The sizes of all shares limit a thick pool too, not only its free capacity: so the room is
never promised twice, whatever its backend measures. And a new share takes nothing from the free capacity of a
thin pool, since it is empty.
"""

from __future__ import annotations

from math import floor, inf

from share_actors.scheduling.extra_specs import wants_thin
from share_actors.scheduling.request import RequestSpec
from share_actors.values import Capabilities, Internal, Pool, gib, gib_text


class PoolState(Internal):
    """A pool with its backend's last report and the scheduler's later decisions.

    *provisioned*: GiB of all shares that are there or decided to go there. *unmeasured*: GiB that shares took
    since the backend measured its free capacity, less those that they gave back; below 0 if that is more.
    *uncertain*: those of *unmeasured* that may be measured already, because the work was under way then.
    *down*: why the pool accepts no shares.
    """

    backend: str
    capabilities: Capabilities
    pool: Pool
    provisioned: float = 0.0
    unmeasured: float = 0.0
    uncertain: float = 0.0
    down: str | None = None

    @property
    def name(self) -> str:
        """`backend#pool`, as in a share's `host`."""
        return f"{self.backend}#{self.pool.name}"

    def room(self, spec: RequestSpec) -> float:
        """The largest share that fits, in GiB; infinite if nothing is known that limits it."""
        total, free = gib(self.pool.total_capacity_gib), gib(self.pool.free_capacity_gib)
        reserved, ratio = self._reserved(spec), self.pool.max_over_subscription_ratio
        if self.pool.free_capacity_gib == "unknown" or (free == inf and total == inf):
            return inf
        if total == inf:  # no part of it can be reserved
            return 0.0 if reserved else free - self.unmeasured
        if total <= 0:
            return 0.0
        if self._is_thin(spec):
            unreserved = inf if free == inf else floor(free - total * reserved)
            return min(total * ratio - self._provisioned_in_all(), unreserved * ratio)
        return min(
            total * (1 - reserved) - self.provisioned, free - total * reserved - self.unmeasured
        )

    def virtual_free(self, spec: RequestSpec) -> float | None:
        """The GiB by which pools are weighed: may be infinite; None if unknown."""
        if "unknown" in (self.pool.total_capacity_gib, self.pool.free_capacity_gib):
            return None
        total = gib(self.pool.total_capacity_gib)
        if total == inf or not self._is_thin(spec):
            return self.room(spec)
        ratio = self.pool.max_over_subscription_ratio
        return total * (ratio - self._reserved(spec)) - self._provisioned_in_all()

    def _provisioned_in_all(self) -> float:
        """The sizes of all that is on the pool, also by others than this system, if it reports that."""
        reported = self.pool.provisioned_capacity_gib
        return max(self.provisioned, reported + self.unmeasured) if reported else self.provisioned

    def _reserved(self, spec: RequestSpec) -> float:
        """The part of the capacity that stays free of this kind of request."""
        pool = self.pool
        percentage: float | None = None
        if spec.extends:
            percentage = pool.reserved_share_extend_percentage
        elif spec.snapshot_host is not None:
            percentage = pool.reserved_snapshot_percentage
        return (pool.reserved_percentage if percentage is None else percentage) / 100

    def _is_thin(self, spec: RequestSpec) -> bool:
        """Whether the share is thin there: a pool may offer both, and a share type require one."""
        return self.pool.thin_provisioning and wants_thin(spec.share_type)


def lack_of_room(spec: RequestSpec, pool: PoolState) -> str | None:
    """The filter `capacity`: the only one whose verdict changes with every decision."""
    room = pool.room(spec)
    if spec.size <= room:
        return None
    more = " more" if spec.extends else ""
    total = gib_text(pool.pool.total_capacity_gib)
    used = f"{pool.provisioned:g} of {total} GiB are provisioned"
    return f"{spec.size} GiB{more} do not fit into {max(room, 0.0):.6g} GiB ({used})"
