"""Whatever a killed set-up or teardown has left, a repeated teardown removes it."""

from __future__ import annotations

import random
import time
from functools import partial

import pytest

from share_actors.drivers.btrfs_servers import BtrfsServersDriver
from tests.drivers.btrfs_servers.kills import killed_after, left_of, random_delay
from tests.drivers.btrfs_servers.on_server import network_info


def kill_at_random(driver: BtrfsServersDriver, kills: int, seed: int) -> None:
    """Kill set-ups, and the teardowns of every second server; nothing may be left after the last teardown."""
    chance = random.Random(seed)
    for number in range(kills):
        server_id = f"server-{seed}-{number}"
        set_up = partial(
            driver.setup_server, network_info(server_id, "10.0.0.5", gateway="10.0.0.1")
        )
        tear_down = partial(driver.teardown_server, {"server_id": server_id})
        if number % 2:
            set_up()
            killed_after(random_delay(chance) / 2, tear_down)
        else:
            killed_after(random_delay(chance), set_up)
        tear_down()
        assert left_of(driver) == [], f"kill {number} of seed {seed}"


def test_a_teardown_after_a_kill_at_a_random_moment_leaves_nothing(
    driver: BtrfsServersDriver,
) -> None:
    kill_at_random(driver, 6, time.time_ns() % 10_000)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_teardown_after_each_of_50_kills_at_random_moments_leaves_nothing(
    driver: BtrfsServersDriver,
) -> None:
    kill_at_random(driver, 50, time.time_ns() % 10_000)


@pytest.mark.parametrize("delay_s", [0.1, 0.4])
def test_a_set_up_that_was_killed_is_completed_by_its_repetition(
    driver: BtrfsServersDriver, delay_s: float
) -> None:
    info = network_info("one", "10.0.0.5")
    killed_after(delay_s, partial(driver.setup_server, info))

    assert driver.setup_server(info)["address"] == "10.0.0.5/24"

    assert driver.check_health() == ()
    driver.teardown_server({"server_id": "one"})
    assert left_of(driver) == []
