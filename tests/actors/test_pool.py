"""The hosting rule."""

from hypothesis import given
from hypothesis import strategies as st

from share_actors.actors.hosting.directory import HostDirectory
from share_actors.actors.ports import node_of


def pool(*hosts: str, largest: int = 4) -> HostDirectory:
    made = HostDirectory(largest)
    for host in hosts:
        made.add(host)
    return made


def test_a_share_gets_an_empty_actor_while_there_is_one() -> None:
    hosts = pool("a", "b")

    assert {hosts.place("s1"), hosts.place("s2")} == {"a", "b"}


def test_without_an_empty_actor_the_least_loaded_hosts_it_too() -> None:
    hosts = pool("a", "b")
    hosts.add("a", ["s1", "s2", "s3"])
    hosts.add("b", ["s4"])

    assert hosts.place("s5") == "b"


def test_a_share_stays_where_it_lives() -> None:
    hosts = pool("a", "b")
    home = hosts.place("s1")

    hosts.place("s2")

    assert hosts.place("s1") == home


def test_moving_in_with_others_asks_for_a_larger_pool_up_to_its_limit() -> None:
    hosts = pool("a", largest=2)
    wanted = []
    for share_id in ("s1", "s2"):
        hosts.place(share_id)
        wanted.append(hosts.wants_more)

    assert wanted == [False, True]
    may_grow = hosts.may_grow
    hosts.add("b")
    assert (may_grow, hosts.may_grow) == (True, False)


def test_the_shares_of_a_dead_actor_live_elsewhere_from_now_on() -> None:
    hosts = pool("a", "b")
    hosts.add("a", ["s1", "s2"])

    assert sorted(hosts.lost("a")) == ["s1", "s2"]

    assert hosts.place("s1") == "b"
    assert hosts.hosts == {"b": 1}


def test_without_a_living_actor_there_is_no_place() -> None:
    hosts = pool("a")
    hosts.lost("a")

    assert hosts.place("s1") is None


def test_a_dedicated_share_shares_its_actor_with_nobody() -> None:
    hosts = pool("a", "b", largest=2)

    alone = hosts.place("d", dedicated=True)

    assert alone is not None
    assert {hosts.place(f"s{n}") for n in range(5)} == {"a", "b"} - {alone}


def test_a_dedicated_share_waits_for_an_empty_actor() -> None:
    hosts = pool("a")
    hosts.place("s1")

    assert hosts.place("d", dedicated=True) is None
    assert hosts.wants_more


def test_an_actor_is_free_again_when_its_dedicated_share_left() -> None:
    hosts = pool("a", largest=1)
    hosts.place("d", dedicated=True)
    assert hosts.place("s1") is None

    hosts.forget(["d"])

    assert hosts.place("s1") == "a"


def test_a_share_that_left_is_forgotten_unless_a_message_may_be_on_its_way_to_it() -> None:
    hosts = pool("a", largest=1)
    for share_id in ("s1", "s2"):
        hosts.place(share_id)
    hosts.passivated("a", [])
    hosts.home("s2")

    hosts.passivated("a", ["s1", "s2"])

    assert (hosts.leaving("a"), hosts.hosts) == (["s2"], {"a": 1})
    hosts.passivated("a", ["s2"])  # asked about again: nothing had come for it
    assert (hosts.leaving("a"), hosts.hosts) == ([], {"a": 0})


def test_a_share_that_lives_elsewhere_by_now_is_not_forgotten() -> None:
    hosts = pool("a", "b")
    assert hosts.place("s1") == "a"
    hosts.forget(["s1"])
    hosts.place("s2")
    assert hosts.place("s1") == "b"

    for _ in range(2):
        hosts.passivated("a", ["s1"])

    assert hosts.home("s1") == "b"


@given(st.lists(st.tuples(st.sampled_from("plfad"), st.integers(0, 9))))
def test_every_share_has_one_home_and_every_home_knows_it(steps: list[tuple[str, int]]) -> None:
    hosts = pool("h0", "h1", "h2")

    for what, n in steps:
        match what:
            case "p":
                hosts.place(f"s{n}", dedicated=n == 0)
            case "l":
                hosts.lost(f"h{n % 3}")
            case "f":
                hosts.forget([f"s{n}"])
            case "d":
                hosts.passivated(f"h{n % 3}", [f"s{n}"])
            case _:
                hosts.add(f"h{n % 3}")

    homes = [hosts.home(f"s{n}") for n in range(10)]
    assert sum(hosts.hosts.values()) == sum(home is not None for home in homes)


def test_what_is_pinned_goes_where_it_must_and_nothing_else_does() -> None:
    pool = HostDirectory(4)
    pool.add("a")
    assert pool.place("far", node="near") is None
    pool.add("share-actor@near-2", node="near")

    assert pool.place("far", node="near") == "share-actor@near-2"
    assert pool.place("far2", node="near") == "share-actor@near-2"
    assert [pool.place(f"s{n}") for n in range(3)] == ["a"] * 3
    assert (pool.reaches("near"), pool.reaches("else")) == (True, False)


def test_where_a_host_runs_is_in_its_name() -> None:
    assert node_of("share-actor-3") is None
    assert node_of("share-actor@rack-7-12") == "rack-7"
