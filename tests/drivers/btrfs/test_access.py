"""Access rules of the driver `btrfs`."""

from __future__ import annotations

import time

import pytest

from share_actors.drivers.btrfs import BtrfsDriver
from share_actors.values import AccessRule, Share
from share_actors.values.checks.addresses import normal_client
from tests.drivers.btrfs.conftest import CONTEXT


def rule(to: str, level: str = "rw") -> AccessRule:
    return AccessRule.model_validate(
        {"id": f"{to}:{level}", "access_type": "ip", "access_to": to, "access_level": level}
    )


def access(driver: BtrfsDriver, share: Share) -> set[tuple[str, str, str]]:
    """The rules in force, which are also those on file."""
    result = driver.probe_share(CONTEXT, share)
    assert result.access == result.access_on_file
    return set(result.access or ())


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("192.0.2.1/24", "host bits set: write 192.0.2.0/24"),
        ("client.example.org", "is not an IP address or network"),
        ("*", "is not an IP address or network"),
        ("", "is not an IP address or network"),
        ("192.0.2.0/33", "is not an IP address or network"),
        ("2001:db8::1/64", "host bits set: write 2001:db8::/64"),
        ("2001:db8::/127", "prefix of 127 bits"),
    ],
)
def test_a_rule_that_is_no_network_is_refused_with_the_reason_and_the_others_apply(
    driver: BtrfsDriver, share: Share, to: str, reason: str
) -> None:
    good, bad = rule("192.0.2.9"), rule("192.0.2.9").replace(id="bad", access_to=to)

    failed = driver.update_access(CONTEXT, share, [good, bad], [good, bad], ())

    assert set(failed) == {"bad"}
    assert reason in failed["bad"]
    assert access(driver, share) == {("ip", "192.0.2.9", "rw")}


def test_networks_inside_each_other_all_addresses_and_ipv6_apply(
    driver: BtrfsDriver, share: Share
) -> None:
    rules = [
        rule("0.0.0.0/0", "ro"),
        rule("::/0", "ro"),
        rule("192.0.2.0/24", "ro"),
        rule("192.0.2.1"),
        rule("2001:db8::1"),
        rule("2001:db8::2"),
        rule("2001:db8::3"),
    ]

    assert not driver.update_access(CONTEXT, share, rules, rules, ())

    assert access(driver, share) == {("ip", r.access_to, str(r.access_level)) for r in rules}


def test_of_two_rules_for_one_network_the_more_permissive_one_applies(
    driver: BtrfsDriver, share: Share
) -> None:
    rules = [rule("192.0.2.1/32"), rule("192.0.2.1", "ro")]

    assert not driver.update_access(CONTEXT, share, rules, rules, ())

    assert access(driver, share) == {("ip", "192.0.2.1/32", "rw")}


def test_denying_by_another_spelling_of_the_network_removes_the_rule(
    driver: BtrfsDriver, share: Share
) -> None:
    driver.allow_access(CONTEXT, share, rule("192.0.2.1/32"))
    driver.allow_access(CONTEXT, share, rule("192.0.2.2"))

    driver.deny_access(CONTEXT, share, rule("192.0.2.1"))

    assert access(driver, share) == {("ip", "192.0.2.2", "rw")}


def test_five_thousand_rules_apply_with_a_warning_above_a_thousand(
    driver: BtrfsDriver, share: Share
) -> None:
    rules = [rule(f"10.0.{n // 250}.{n % 250 + 1}") for n in range(5000)]
    began = time.process_time()

    assert not driver.update_access(CONTEXT, share, rules, rules, ())

    assert access(driver, share) == {("ip", r.access_to, "rw") for r in rules}
    assert time.process_time() - began < 30  # to compare all with all took 21 s with 2,000
    assert "has 5000 rules" in driver.access_warnings(share, rules)[rules[0].id]
    assert driver.access_warnings(share, rules[:1000]) == {}


def test_rules_edited_on_file_are_listed_beside_those_in_force(
    driver: BtrfsDriver, share: Share
) -> None:
    driver.update_access(CONTEXT, share, [rule("192.0.2.7")], [rule("192.0.2.7")], ())
    [file] = driver.exclusive_directories()["root"].glob(f"ganesha/exports.d/{share.id}.conf")
    file.write_text(file.read_text().replace("192.0.2.7", "192.0.2.8"))

    [listed] = driver.list_backend(CONTEXT)

    assert listed.access_on_file == frozenset({("ip", "192.0.2.8", "rw")})
    assert listed.access == frozenset({("ip", "192.0.2.7/32", "rw")})


@pytest.mark.parametrize(
    ("text", "advice"),
    [("10.1.2.3/24", "write 10.1.2.0/24 for the whole net"), ("fd00::1/64", "write fd00::/64 for")],
)
def test_a_client_with_host_bits_is_refused_with_the_network_to_write(
    text: str, advice: str
) -> None:
    with pytest.raises(ValueError, match=f"has host bits set: {advice}"):
        normal_client(text)
