"""The part of `ClientContract` about content: of a share, a clone, a snapshot, a deleted share."""

from __future__ import annotations

import pytest

from share_actors.drivers.abilities import MeasuresUsage, Reverts
from share_actors.drivers.base import ShareDriver
from share_actors.testing.contracts.base import CONTEXT, copy_of, new_share, snapshot_of
from share_actors.testing.contracts.client.base import MIB, OUT, ClientBase, ServedShare
from share_actors.testing.visits import Mount
from share_actors.values import Share, Snapshot


class ClientContentContract(ClientBase):
    """Shares, snapshots and clones keep the content that clients gave them, and each keeps its own."""

    def test_a_share_shows_its_own_files_alone(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        share = new_share(driver)
        other = self.serve(driver, share, driver.create_share(CONTEXT, share))
        for each in (served, other):
            each.allow((self.one, "rw"))

        visit(served.export, self.one).write("a", b"1")

        assert visit(served.export, self.one).names() == ["a"]
        assert visit(other.export, self.one).names() == []

    def test_what_a_client_writes_is_counted_as_used_by_the_share(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"))
        before = self.used(driver, served.share)

        visit(served.export, self.one).hold("a").fill(8 * MIB)

        assert 8 * MIB <= self.used(driver, served.share) - before < 12 * MIB

    def test_ensuring_a_share_disturbs_no_client(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"))
        mounted = visit(served.export, self.one)
        file = mounted.hold("a")
        file.write(b"before")

        driver.ensure_share(CONTEXT, served.share)

        file.write(b"after!")
        assert mounted.read("a") == b"after!"

    # -- deletion ------------------------------------------------------------------------------
    def test_a_deleted_share_is_gone_for_who_has_mounted_it(
        self, served: ServedShare, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"))
        mounted = visit(served.export, self.one)
        mounted.write("a", b"1")

        served.delete()

        for call in (mounted.names, lambda: mounted.read("a"), lambda: mounted.write("b", b"1")):
            with pytest.raises(OUT):
                call()
        with pytest.raises(OUT):
            visit(served.export, self.one)

    def test_a_deleted_share_is_gone_for_who_holds_a_file_open(
        self, served: ServedShare, visit: Mount
    ) -> None:
        self.needs_revoked_files()
        served.allow((self.one, "rw"))
        file = visit(served.export, self.one).hold("a")
        file.write(b"1")

        served.delete()

        with pytest.raises(OUT):
            file.write(b"2")

    def test_a_share_made_again_under_the_same_id_has_nothing_of_the_old_one(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"))
        old = visit(served.export, self.one)
        old.write("secret", b"1")
        served.delete()

        again = self.serve(driver, served.share, driver.create_share(CONTEXT, served.share))
        with pytest.raises(OUT):
            visit(again.export, self.one)
        again.allow((self.one, "rw"), (self.two, "rw"))

        assert visit(again.export, self.two).names() == []
        with pytest.raises(OUT):  # its handles name the share that was deleted
            old.read("secret")

    # -- snapshots -----------------------------------------------------------------------------
    def test_a_clone_has_the_content_and_none_of_the_rules(
        self, driver: ShareDriver, served: ServedShare, snapshot: Snapshot, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"))
        visit(served.export, self.one).write("a", b"content")

        clone = self.clone(driver, snapshot)

        with pytest.raises(OUT):
            visit(clone.export, self.one)
        clone.allow((self.one, "rw"))
        copied = visit(clone.export, self.one)
        assert copied.names() == ["a"]
        assert copied.read("a") == b"content"

    def test_a_snapshot_keeps_the_content_of_its_moment(
        self, driver: ShareDriver, served: ServedShare, snapshot: Snapshot, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"))
        mounted = visit(served.export, self.one)
        mounted.write("a", b"old")
        driver.create_snapshot(CONTEXT, snapshot)
        mounted.write("a", b"new")
        mounted.write("b", b"new")

        clone = self.clone(driver, snapshot)

        clone.allow((self.one, "rw"))
        copied = visit(clone.export, self.one)
        assert copied.names() == ["a"]
        assert copied.read("a") == b"old"

    def test_a_clone_has_a_life_of_its_own(
        self, driver: ShareDriver, served: ServedShare, snapshot: Snapshot, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"))
        mounted = visit(served.export, self.one)
        mounted.write("a", b"source")
        clone = self.clone(driver, snapshot)
        clone.allow((self.one, "rw"))
        copied = visit(clone.export, self.one)

        copied.write("a", b"cloned")
        assert mounted.read("a") == b"source"
        driver.delete_snapshot(CONTEXT, snapshot)
        served.delete()

        copied.write("b", b"1")
        assert visit(clone.export, self.one).read("a") == b"cloned"

    # -- revert --------------------------------------------------------------------------------
    def test_reverting_brings_back_the_content_and_keeps_size_and_rules(
        self, driver: ShareDriver, served: ServedShare, snapshot: Snapshot, visit: Mount
    ) -> None:
        if not isinstance(driver, Reverts):
            pytest.skip("the driver cannot revert shares")
        served.allow((self.one, "rw"))
        mounted = visit(served.export, self.one)
        mounted.write("a", b"old")
        driver.create_snapshot(CONTEXT, snapshot)
        mounted.write("a", b"new")
        mounted.write("b", b"new")
        before = driver.probe_share(CONTEXT, served.share)

        remount = driver.revert_to_snapshot(CONTEXT, served.share, snapshot)

        found = visit(served.export, self.one) if remount else mounted
        assert (found.names(), found.read("a")) == (["a"], b"old")
        found.write("c", b"1")
        with pytest.raises(OUT):
            visit(served.export, self.two)
        after = driver.probe_share(CONTEXT, served.share)
        assert (before and (before.size, before.access)) == (after and (after.size, after.access))

    # ------------------------------------------------------------------------------------------
    @pytest.fixture
    def snapshot(self, driver: ShareDriver, served: ServedShare) -> Snapshot:
        """A snapshot of the share `served` that does not exist yet."""
        if not driver.supports("create_snapshot"):
            pytest.skip("the driver does not support snapshots")
        return snapshot_of(served.share)

    def clone(self, driver: ShareDriver, snapshot: Snapshot) -> ServedShare:
        """A new share from *snapshot*, which is taken unless it exists."""
        share = copy_of(driver, snapshot)
        exports = driver.create_share_from_snapshot(CONTEXT, share, snapshot)
        return self.serve(driver, share, exports)

    def used(self, driver: ShareDriver, share: Share) -> int:
        """The bytes that the driver says *share* uses; skips the test if it does not say it."""
        if isinstance(driver, MeasuresUsage):
            return driver.get_share_usage([share])[share.id]
        result = driver.probe_share(CONTEXT, share)
        if result is None or result.used is None:
            pytest.skip("the driver does not report what a share uses")
        return result.used
