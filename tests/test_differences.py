"""What differs between two configurations, in words and without secrets."""

from __future__ import annotations

from pathlib import Path

from share_actors.config import BackendSettings, Config, HostingSettings, LogSettings
from share_actors.config.differences import MAX_NAMED, Difference, differences, in_words

BACKEND = BackendSettings(driver="dummy", options={"capacity_gib": 10, "info": {"host": "a"}})
CONFIG = Config(home=Path("/h"), backends={"b": BACKEND})


def test_the_same_settings_do_not_differ() -> None:
    assert differences(CONFIG, Config(home=Path("/h"), backends={"b": BACKEND})) == []


def test_each_difference_has_its_key_and_both_values() -> None:
    changed = BACKEND.model_copy(update={"options": {"capacity_gib": 20}, "timeout_s": 7.0})
    hosting = HostingSettings(min_actors=3, max_actors=3)
    wanted = Config(home=Path("/h"), backends={"b": changed, "c": BACKEND}, hosting=hosting)

    found = {item.key: (item.running, item.wanted) for item in differences(CONFIG, wanted)}

    assert found["backends.b.options.capacity_gib"] == (10, 20)
    assert found["backends.b.options.info.host"] == ("a", None)
    assert found["backends.b.timeout_s"] == (BACKEND.timeout_s, 7.0)
    assert found["backends.c.driver"] == (None, "dummy")
    assert found["hosting.max_actors"] == (CONFIG.hosting.max_actors, 3)


def test_secrets_are_compared_and_never_shown() -> None:
    def config(password: str, token: str) -> Config:
        log = LogSettings(kind="postgresql", password=password)
        backend = BackendSettings(driver="dummy", options={"info": {"api_token": token}})
        return Config(home=Path("/h"), log=log, backends={"b": backend})

    differing = differences(config("one", "two"), config("three", "four"))

    assert [item.key for item in differing] == [
        "log.password",
        "backends.b.options.info.api_token",
    ]
    assert in_words(differing) == (
        "log.password is another secret; backends.b.options.info.api_token is another secret"
    )
    assert not {"one", "two", "three", "four"} & {str(v) for item in differing for v in item}


def test_a_message_names_the_first_differences_and_counts_the_rest() -> None:
    many = [Difference(f"k{n}", n, None) for n in range(MAX_NAMED + 2)]

    text = in_words(many)

    assert text.startswith("k0 is 0, not unset; k1 is 1")
    assert text.endswith("; and 2 more")


def test_a_number_that_is_not_one_does_not_differ_from_itself() -> None:
    def config(number: float) -> Config:
        options = {"capabilities": {"odd": number}}
        return Config(
            home=Path("/h"), backends={"b": BackendSettings(driver="dummy", options=options)}
        )

    assert differences(config(float("nan")), config(float("nan"))) == []
    assert len(differences(config(float("nan")), config(1.0))) == 1
