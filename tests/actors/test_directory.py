"""The hosting rule: which host an entity lives in."""

from hypothesis import given
from hypothesis import strategies as st

from share_actors.actors.hosting.directory import HostDirectory, newest_homes
from share_actors.actors.ports import node_of


def directory(*hosts: str, max_hosts: int = 4) -> HostDirectory:
    made = HostDirectory(max_hosts)
    for host in hosts:
        made.add(host)
    return made


def test_an_entity_that_is_active_in_two_hosts_has_its_home_where_its_version_is_greater() -> None:
    at_home, strays = newest_homes(
        {"a": {"s1": 4, "s2": 2}, "b": {"s1": 7, "s3": 1}, "c": {"s1": 5, "s2": 2}}
    )

    assert at_home == {"a": ["s2"], "b": ["s1", "s3"], "c": []}
    assert strays == {"a": ["s1"], "c": ["s1", "s2"]}


def test_a_share_gets_an_empty_host_while_there_is_one() -> None:
    hosts = directory("a", "b")

    assert {hosts.place("s1"), hosts.place("s2")} == {"a", "b"}


def test_without_an_empty_host_a_share_joins_others_in_the_least_loaded_one() -> None:
    hosts = directory("a", "b")
    hosts.add("a", ["s1", "s2", "s3"])
    hosts.add("b", ["s4"])

    assert hosts.place("s5") == "b"


def test_a_share_that_has_a_home_keeps_it() -> None:
    hosts = directory("a", "b")
    home = hosts.place("s1")

    hosts.place("s2")

    assert hosts.place("s1") == home


def test_a_share_that_joins_others_makes_the_directory_want_another_host_up_to_its_limit() -> None:
    hosts = directory("a", max_hosts=2)
    wanted = []
    for share_id in ("s1", "s2"):
        hosts.place(share_id)
        wanted.append(hosts.wants_more)

    assert wanted == [False, True]
    may_grow = hosts.may_grow
    hosts.add("b")
    assert (may_grow, hosts.may_grow) == (True, False)


def test_the_shares_of_a_lost_host_are_placed_in_another() -> None:
    hosts = directory("a", "b")
    hosts.add("a", ["s1", "s2"])

    assert sorted(hosts.lost("a")) == ["s1", "s2"]

    assert hosts.place("s1") == "b"
    assert hosts.hosts == {"b": 1}


def test_without_a_living_host_a_share_is_not_placed() -> None:
    hosts = directory("a")
    hosts.lost("a")

    assert hosts.place("s1") is None


def test_no_share_joins_a_dedicated_share_in_its_host() -> None:
    hosts = directory("a", "b", max_hosts=2)

    alone = hosts.place("d", dedicated=True)

    assert alone is not None
    assert {hosts.place(f"s{n}") for n in range(5)} == {"a", "b"} - {alone}


def test_a_dedicated_share_waits_for_an_empty_host() -> None:
    hosts = directory("a")
    hosts.place("s1")

    assert hosts.place("d", dedicated=True) is None
    assert hosts.wants_more


def test_a_host_is_free_again_once_its_dedicated_share_is_forgotten() -> None:
    hosts = directory("a", max_hosts=1)
    hosts.place("d", dedicated=True)
    assert hosts.place("s1") is None

    hosts.forget(["d"])

    assert hosts.place("s1") == "a"


def test_a_passivated_share_is_forgotten_unless_a_message_may_be_on_its_way_to_it() -> None:
    hosts = directory("a", max_hosts=1)
    for share_id in ("s1", "s2"):
        hosts.place(share_id)
    hosts.passivated("a", [])
    hosts.home("s2")

    hosts.passivated("a", ["s1", "s2"])

    assert (hosts.leaving("a"), hosts.hosts) == (["s2"], {"a": 1})
    hosts.passivated("a", ["s2"])  # the next report: no message had come for it
    assert (hosts.leaving("a"), hosts.hosts) == ([], {"a": 0})


def test_a_share_that_has_moved_keeps_its_new_home_when_the_old_host_reports() -> None:
    hosts = directory("a", "b")
    assert hosts.place("s1") == "a"
    hosts.forget(["s1"])
    hosts.place("s2")
    assert hosts.place("s1") == "b"

    for _ in range(2):
        hosts.passivated("a", ["s1"])

    assert hosts.home("s1") == "b"


@given(st.lists(st.tuples(st.sampled_from("plfad"), st.integers(0, 9))))
def test_the_load_of_all_hosts_is_the_number_of_shares_with_a_home(
    steps: list[tuple[str, int]],
) -> None:
    hosts = directory("h0", "h1", "h2")

    for step, n in steps:
        match step:
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


def test_a_host_on_special_nodes_takes_only_the_shares_that_need_such_a_node() -> None:
    hosts = directory("a")
    assert hosts.place("r1", node="rack") is None
    hosts.add("share-actor@rack-2", node="rack")

    assert hosts.place("r1", node="rack") == "share-actor@rack-2"
    assert hosts.place("r2", node="rack") == "share-actor@rack-2"
    assert [hosts.place(f"s{n}") for n in range(3)] == ["a"] * 3
    assert (hosts.reaches("rack"), hosts.reaches("other")) == (True, False)


def test_the_name_of_a_host_tells_the_node_resource_that_it_needs() -> None:
    assert node_of("share-actor-3") is None
    assert node_of("share-actor@rack-7-12") == "rack-7"
