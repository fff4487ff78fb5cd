"""Masking of known secrets, and of credentials in URLs, wherever a text is logged, recorded or shown."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from share_actors.actors.effects.outcomes import outcome
from share_actors.config import BackendSettings
from share_actors.drivers import DriverError, DriverOptions
from share_actors.drivers.registry import drivers_registered, make_driver, shown_options
from share_actors.events.attempts import ReportFailure
from share_actors.redaction import MASK, KnownSecrets, without_url_passwords
from share_actors.values import RequestContext
from tests.drivers.whole import WholeDriver

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=8)
LOGGING = """
import logging
from share_actors.actors.runtime.log_records import mask_log_records
from share_actors.redaction import remember_secret

logging.basicConfig()
mask_log_records()
remember_secret("PLANTED")
logging.warning("login with %s at %s", "PLANTED", "https://me:also-PL@nas")
try:
    raise RuntimeError("PLANTED \\x1b[2J is wrong")
except RuntimeError:
    logging.exception("it failed")
logging.warning("a %d that does not fit", "text")
"""


class Options(DriverOptions):
    pw: SecretStr
    keep: str = ""
    servers: dict[str, SecretStr] = {}


class Careless(WholeDriver):
    Options = Options


def reason_of(error: Exception) -> str:
    failure = outcome(error, "b", BackendSettings(driver="d"), RequestContext(attempt=1), NOON)
    assert isinstance(failure, ReportFailure)
    return failure.reason


@settings(deadline=None)
@given(secret=SECRETS, around=st.sampled_from(("it is %s", "%s", "x%sx")))
def test_a_known_secret_is_masked_in_every_form_in_which_texts_hold_it(
    secret: str, around: str
) -> None:
    known = KnownSecrets()
    known.remember(secret)

    for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe="")):
        assert known.scrub(around.replace("%s", form)) == around.replace("%s", MASK)


def test_a_short_secret_is_masked_as_a_word_and_a_tiny_one_not_at_all() -> None:
    known = KnownSecrets()
    for secret in ("nfs1", "ab"):
        known.remember(secret)

    assert known.scrub("ab: nfs1 is not nfs12, (nfs1)") == f"ab: {MASK} is not nfs12, ({MASK})"


def test_the_last_secrets_are_known_and_not_more_than_so_many() -> None:
    known = KnownSecrets(most=2)
    for secret in ("PLANTED-1", "PLANTED-2", "PLANTED-3"):
        known.remember(secret)

    assert known.scrub("PLANTED-1 PLANTED-2 PLANTED-3") == f"PLANTED-1 {MASK} {MASK}"


def test_secrets_remembered_for_a_time_are_forgotten_with_it() -> None:
    known = KnownSecrets()
    known.remember("PLANTED-1")
    with known.restored():
        known.remember("PLANTED-2")
        assert known.scrub("PLANTED-1 PLANTED-2") == f"{MASK} {MASK}"

    assert known.scrub("PLANTED-1 PLANTED-2") == f"{MASK} PLANTED-2"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:s3c@nas/x", f"https://me:{MASK}@nas/x"),
        ("ldap://cn=admin:s3@c@10.0.0.9", f"ldap://cn=admin:{MASK}@10.0.0.9"),
        ("at https://me:s3/c@nas failed", f"at https://me:{MASK}@nas failed"),
        ("{'url': 'x://:s3c@nas'}", f"{{'url': 'x://:{MASK}@nas'}}"),
        ("https://nas/?a=1&api_token=s3c&b=2", f"https://nas/?a=1&api_token={MASK}&b=2"),
        ("https://nas:8443/s3c", "https://nas:8443/s3c"),
        ("nas:/shares/s3c", "nas:/shares/s3c"),
    ],
)
def test_credentials_in_urls_are_masked(text: str, shown: str) -> None:
    assert without_url_passwords(text) == shown


@pytest.mark.parametrize("kind", [DriverError, RuntimeError])
def test_no_reason_of_a_failure_holds_an_option_that_is_a_secret(kind: type[Exception]) -> None:
    with drivers_registered({"careless": Careless}):
        make_driver("b", "careless", {"pw": "PLANTED-1", "servers": {"x": "PLANTED-2"}})

    reason = reason_of(kind("login with PLANTED-1 and PLANTED-2 at https://me:PLANTED-3@nas"))

    assert reason.endswith(f"login with {MASK} and {MASK} at https://me:{MASK}@nas")


def test_the_type_of_an_option_says_whether_it_is_shown_and_not_its_name() -> None:
    options = {"pw": "s3c", "keep": "/srv", "servers": {"x": "s3c"}, "undeclared": "s3c"}

    with drivers_registered({"careless": Careless}):
        shown = shown_options("careless", options)

    assert shown == {"pw": MASK, "keep": "/srv", "servers": MASK, "undeclared": MASK}
    assert shown_options("not-installed", {"a": "s3c"}) == {"a": MASK}


def test_no_log_record_of_a_process_holds_a_known_secret() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LOGGING], capture_output=True, text=True, check=True
    )

    assert "PL" not in ended.stderr.replace('PLANTED")', "").replace('RuntimeError("PLANTED', "")
    assert f"login with {MASK} at https://me:{MASK}@nas" in ended.stderr
    assert r"RuntimeError: ******** \x1b[2J is wrong" in ended.stderr
