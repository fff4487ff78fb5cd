"""Two systems on one namespace, one log or one directory: the second is refused, with who is there."""

from __future__ import annotations

import pytest

from share_actors import client
from share_actors.errors import Refused
from tests.acceptance.conftest import NewSite

pytestmark = pytest.mark.timeout(300)


# -- namespaces ------------------------------------------------------------------------------------
def test_a_start_with_other_settings_in_a_taken_namespace_is_refused(new_site: NewSite) -> None:
    site = new_site()
    before = site.system.config
    other = site.config.model_copy(update={"home": site.home / "other"})

    with pytest.raises(Refused, match=f"taken by the system of home {site.home}") as error:
        client.start(other)

    assert (error.value.field, error.value.value) == ("namespace", site.config.namespace)
    assert "other settings: home;" in error.value.message
    assert not (site.home / "other").exists()
    assert site.system.create_share(size=1).status == "available"
    assert site.system.config == before


def test_a_second_start_with_the_same_settings_joins_and_its_close_leaves_the_system_running(
    new_site: NewSite,
) -> None:
    site = new_site()
    assert site.system.config

    with client.start(site.config) as joined:
        share = joined.create_share(size=1)

    assert site.system.share(share.id).status == "available"
    site.stop()
    assert site.actors() == []


def test_a_given_address_is_never_answered_by_the_cluster_that_was_joined(
    new_site: NewSite,
) -> None:
    site = new_site()
    assert site.system.config

    with pytest.raises(Refused, match="has joined the one at") as error:
        client.connect("127.0.0.9:6379", namespace=site.config.namespace)
    assert error.value.field == "address"
