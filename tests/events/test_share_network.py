"""Share networks: addresses are granted once and never leaked, and shares are assigned to servers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from share_actors.events import share_network
from share_actors.events.decider import Rejected, replay
from share_actors.events.share_network import (
    AddressesGranted,
    AddressesReleased,
    AddSecurityService,
    AssignServer,
    CreateShareNetwork,
    DeleteShareNetwork,
    GrantAddresses,
    NetworkEvent,
    RejectShare,
    ReleaseAddresses,
    RemoveSecurityService,
    RetireServer,
    SecurityServiceAdded,
    SecurityServiceRemoved,
    ServerAssigned,
    ServerRetired,
    ShareNetworkCreated,
    ShareNetworkDeleted,
    ShareRejected,
    ShareUnassigned,
    UnassignShare,
)
from share_actors.testing import Spec
from share_actors.values import SecurityService
from tests.events.share_events import NOON

LDAP = SecurityService(id="sec1", type="ldap", server="10.0.0.9", password="sealed:x")


def create(**fields: Any) -> CreateShareNetwork:
    defaults = {"network_id": "n1", "name": "blue", "cidr": "10.0.0.0/29", "gateway": "10.0.0.1"}
    owner = {"project_id": "demo", "user_id": "alice"}
    return CreateShareNetwork(**{**defaults, **owner, "at": NOON, **fields})


created = ShareNetworkCreated(**dict(create()))
network = Spec(share_network).given(created)
assign = AssignServer(share_id="s1", backend="blue", new_server_id="v1")
assigned = ServerAssigned(share_id="s1", server_id="v1", backend="blue")
granted = AddressesGranted(server_id="v1", addresses=("10.0.0.2", "10.0.0.3"))


# -- the network itself --------------------------------------------------------------------------
def test_a_repeated_creation_creates_one_network() -> None:
    Spec(share_network).when(create()).then(created)
    network.when(create()).then()
    network.when(create(cidr="10.9.0.0/29", gateway=None)).then_rejected("exists already")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cidr": "10.0.0.0/99"}, "cidr"),
        ({"cidr": "10.0.0.1/29"}, "cidr"),
        ({"gateway": "10.1.0.1"}, "gateway: 10.1.0.1 is not an address of"),
        ({"gateway": "10.0.0.0"}, "gateway: 10.0.0.0 is the network's own or broadcast address"),
        ({"gateway": "10.0.0.7"}, "gateway: 10.0.0.7 is the network's own or broadcast address"),
        ({"gateway": "fe80::1%eth0", "cidr": "fe80::/64"}, "zone"),
        ({"cidr": "fe80::%eth0/64"}, "zone"),
        ({"cidr": "1" * 5_000_000}, "at most 64"),
        ({"gateway": "nonsense"}, "gateway"),
        ({"network_type": "vlan"}, "segmentation_id: .* needs one, 1 to 4094"),
        ({"network_type": "vlan", "segmentation_id": 4095}, "is not 1 to 4094"),
        ({"network_type": "vlan", "segmentation_id": 0}, "is not 1 to 4094"),
        ({"network_type": "vxlan", "segmentation_id": 16_777_216}, "is not 1 to 16777215"),
        ({"network_type": "gre", "segmentation_id": 2**32}, "is not 1 to 4294967295"),
        ({"network_type": "flat", "segmentation_id": 5}, "of type flat has none"),
        ({"segmentation_id": 5}, "of type none has none"),
        ({"network_type": "token-ring"}, "network_type"),
    ],
)
def test_an_invalid_network_is_refused_with_its_field(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        create(**fields)


@pytest.mark.parametrize(
    ("kind", "segment"),
    [
        ("none", None),
        ("flat", None),
        ("vlan", 1),
        ("vlan", 4094),
        ("vxlan", 16_777_215),
        ("gre", 2**32 - 1),
    ],
)
def test_segmentation_ids_are_valid_up_to_the_largest_of_the_network_type(
    kind: str, segment: int
) -> None:
    assert create(network_type=kind, segmentation_id=segment).segmentation_id == segment


def test_a_network_with_shares_or_servers_is_not_deleted() -> None:
    network.given(assigned).when(DeleteShareNetwork()).then_rejected("in use by shares: s1")
    left = network.given(assigned, ShareUnassigned(share_id="s1", server_id="v1"))
    left.when(DeleteShareNetwork()).then_rejected("has share servers: v1")
    network.when(DeleteShareNetwork()).then(ShareNetworkDeleted())


def test_a_deleted_network_assigns_no_server_but_accepts_unassignments() -> None:
    deleted = network.given(ShareNetworkDeleted())
    deleted.when(DeleteShareNetwork()).then()
    deleted.when(assign).then_rejected("is deleted")
    deleted.when(UnassignShare(share_id="s1")).then()
    Spec(share_network).when(DeleteShareNetwork()).then_rejected("no such share network")


# -- security services ---------------------------------------------------------------------------
def test_a_security_service_is_added_and_removed_while_there_is_no_server() -> None:
    network.when(AddSecurityService(service=LDAP)).then(SecurityServiceAdded(service=LDAP))
    with_one = network.given(SecurityServiceAdded(service=LDAP))
    with_one.when(AddSecurityService(service=LDAP)).then()
    with_one.when(RemoveSecurityService(service_id="sec1")).then(
        SecurityServiceRemoved(service_id="sec1")
    )
    with_one.given(SecurityServiceRemoved(service_id="sec1")).then_state(
        lambda state: state.network.security_services, ()
    )
    network.when(RemoveSecurityService(service_id="other")).then()


def test_a_second_service_of_a_type_or_a_change_while_there_are_servers_is_rejected() -> None:
    with_one = network.given(SecurityServiceAdded(service=LDAP))
    other = LDAP.replace(id="sec2")
    with_one.when(AddSecurityService(service=other)).then_rejected("has a security service ldap")
    served = with_one.given(assigned)
    served.when(RemoveSecurityService(service_id="sec1")).then_rejected("has share servers")
    kerberos = LDAP.replace(id="sec3", type="kerberos")
    served.when(AddSecurityService(service=kerberos)).then_rejected("has share servers")


# -- addresses -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("cidr", "gateway", "recorded", "first"),
    [
        ("2001:db8::/126", "2001:db8:0:0::1", "2001:db8::1", "2001:db8::2"),
        ("2001:DB8:1::/64", "2001:DB8:1::1", "2001:db8:1::1", "2001:db8:1::2"),
        ("10.9.0.0/255.255.255.0", "10.9.0.1", "10.9.0.1", "10.9.0.2"),
        ("10.9.0.0/31", "10.9.0.0", "10.9.0.0", "10.9.0.1"),
    ],
)
def test_a_gateway_is_granted_to_no_server_however_it_is_spelt(
    cidr: str, gateway: str, recorded: str, first: str
) -> None:
    spelt = ShareNetworkCreated(**{**dict(created), "cidr": cidr, "gateway": gateway})  # an old log
    normal = ShareNetworkCreated(**dict(create(cidr=cidr, gateway=gateway)))

    assert normal.gateway == recorded
    for event in (spelt, normal):
        grant = Spec(share_network).given(event).when(GrantAddresses(server_id="v1", count=1))
        grant.then(AddressesGranted(server_id="v1", addresses=(first,)))


def test_granted_addresses_exclude_the_gateway_and_a_repeated_request_changes_nothing() -> None:
    network.when(GrantAddresses(server_id="v1", count=2)).then(granted)
    network.given(granted).when(GrantAddresses(server_id="v1", count=2)).then()
    network.given(granted).when(GrantAddresses(server_id="v1", count=3)).then_rejected(
        "already has 2 addresses, not 3"
    )


def test_a_full_network_rejects_a_grant_with_the_number_of_free_addresses() -> None:
    network.given(granted).when(GrantAddresses(server_id="v2", count=4)).then_rejected(
        "10.0.0.0/29 has 3 free addresses, and 4 are needed"
    )


def test_released_addresses_are_free_and_never_granted_to_the_same_server() -> None:
    released = AddressesReleased(server_id="v1", addresses=granted.addresses)
    network.given(assigned, granted).when(ReleaseAddresses(server_id="v1")).then(released)
    after = network.given(assigned, granted, released)
    after.when(ReleaseAddresses(server_id="v1")).then()
    after.when(GrantAddresses(server_id="v2", count=2)).then(granted.replace(server_id="v2"))
    after.when(GrantAddresses(server_id="v1", count=2)).then_rejected("is gone")
    after.then_state(lambda state: state.network.shares, {})


# -- which server --------------------------------------------------------------------------------
def test_the_first_share_gets_a_new_server_and_the_second_share_the_same_one() -> None:
    network.when(assign).then(assigned)
    network.given(assigned).when(assign.replace(new_server_id="v9")).then()
    second = assign.replace(share_id="s2", new_server_id="v2")
    network.given(assigned).when(second).then(assigned.replace(share_id="s2"))


def test_servers_that_are_full_retired_or_of_another_backend_get_no_share() -> None:
    second = assign.replace(share_id="s2", new_server_id="v2")
    new = ServerAssigned(share_id="s2", server_id="v2", backend="blue")
    network.given(assigned.replace(backend="red")).when(second).then(new)
    network.given(assigned).when(second.replace(most=1)).then(new)
    network.given(assigned, ServerRetired(server_id="v1")).when(second).then(new)


def test_a_share_whose_server_retired_is_assigned_to_another() -> None:
    retired = network.given(assigned, ServerRetired(server_id="v1"))
    again = assign.replace(new_server_id="v2")
    retired.when(again).then(ServerAssigned(share_id="s1", server_id="v2", backend="blue"))
    retired.when(RetireServer(server_id="v1")).then()
    network.when(RetireServer(server_id="nobody")).then()


def test_a_share_from_a_snapshot_is_assigned_to_the_server_of_the_snapshots_share_only() -> None:
    from_snapshot = assign.replace(share_id="s2", beside="s1")
    network.given(assigned).when(from_snapshot).then(assigned.replace(share_id="s2"))
    network.when(from_snapshot).then_rejected("server of share s1 accepts no more")


def test_a_share_is_unassigned_once() -> None:
    network.given(assigned, granted).when(UnassignShare(share_id="s1")).then(
        ShareUnassigned(share_id="s1", server_id="v1")
    )
    left = network.given(ShareUnassigned(share_id="s1", server_id="v1"))
    left.when(UnassignShare(share_id="s1")).then()
    left.when(assign).then_rejected("share s1 has left")


def test_a_server_without_addresses_is_removed_with_its_only_share() -> None:
    left = ShareUnassigned(share_id="s1", server_id="v1")
    gone = AddressesReleased(server_id="v1", addresses=())
    network.given(assigned).when(UnassignShare(share_id="s1")).then(left, gone)
    network.given(assigned, left, gone).when(DeleteShareNetwork()).then(ShareNetworkDeleted())
    shared = network.given(assigned, assigned.replace(share_id="s2"))
    shared.when(UnassignShare(share_id="s1")).then(left)


def test_a_rejected_share_is_assigned_to_no_server() -> None:
    rejection = ShareRejected(share_id="s1")
    network.when(RejectShare(share_id="s1")).then(rejection)
    rejected = network.given(rejection)
    rejected.when(RejectShare(share_id="s1")).then()
    rejected.when(assign).then_rejected("share s1 has left")
    rejected.when(UnassignShare(share_id="s1")).then()
    rejected.when(assign.replace(share_id="s2")).then(assigned.replace(share_id="s2"))


def test_a_rejected_share_stays_assigned_until_it_is_unassigned() -> None:
    rejected = network.given(assigned, granted, ShareRejected(share_id="s1"))
    rejected.then_state(lambda state: state.network.shares, {"s1": "v1"})
    rejected.when(UnassignShare(share_id="s1")).then(ShareUnassigned(share_id="s1", server_id="v1"))


_servers = st.sampled_from(["v1", "v2", "v3", "v4"])
_shares = st.sampled_from(["s1", "s2", "s3"])
_commands = st.one_of(
    st.builds(GrantAddresses, server_id=_servers, count=st.integers(0, 4)),
    st.builds(ReleaseAddresses, server_id=_servers),
    st.builds(
        AssignServer,
        share_id=_shares,
        backend=st.sampled_from(["blue", "red"]),
        new_server_id=_servers,
        most=st.sampled_from([None, 1, 2]),
    ),
    st.builds(RetireServer, server_id=_servers),
    st.builds(RejectShare, share_id=_shares),
    st.builds(UnassignShare, share_id=_shares),
)


@given(st.lists(_commands, max_size=40))
def test_after_any_commands_no_address_is_granted_twice_and_none_is_leaked(
    commands: list[Any],
) -> None:
    history: list[NetworkEvent] = [created]
    state = replay(share_network, history)
    for command in commands:
        try:
            events = share_network.decide(command, state)
        except Rejected:
            continue
        for event in events:
            state = share_network.evolve(state, event)
        history += events
        granted = [a for addresses in state.network.allocations.values() for a in addresses]
        assert len(granted) == len(set(granted)) <= 5
        assert not state.gone.keys() & state.network.allocations.keys()
        assert set(state.network.shares.values()) <= state.network.servers.keys()
    assert replay(share_network, history) == state
