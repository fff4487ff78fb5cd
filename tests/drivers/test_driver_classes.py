"""What a driver's class must have, and what its methods may return: before and in a system."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from share_actors import ConfigError, OperationFailed
from share_actors.config import Config
from share_actors.drivers import DriverError, ShareDriver
from share_actors.drivers.checks.classes import class_faults
from share_actors.drivers.checks.returned import read_exports
from share_actors.drivers.registry import (
    drivers_registered,
    load_driver,
    make_driver,
)
from share_actors.testing import sync_system
from share_actors.values import AccessRule, ExportLocation, RequestContext, Share
from tests.drivers.whole import WholeDriver

CONTEXT, SHARE = RequestContext(), Share(id="s1", size=1)


class OneAtATime(WholeDriver):
    """Takes rules of users, which may only read."""

    access_types = ("user",)
    access_levels = ("ro",)

    def allow_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        pass

    def deny_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        pass


def called_with(driver: ShareDriver, rules: list[AccessRule]) -> dict[str, str]:
    return dict(driver.update_access(CONTEXT, SHARE, rules, rules, ()) or {})


def with_attributes(**attributes: object) -> type[ShareDriver]:
    return type("Odd", (WholeDriver,), attributes)


# -- classes -------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["btrfs", "btrfs-servers", "dummy", "local", "local-servers"])
def test_the_drivers_of_this_package_are_complete(name: str) -> None:
    assert class_faults(load_driver(name)) == ()


def test_a_driver_needs_no_more_than_creation_and_deletion() -> None:
    assert class_faults(WholeDriver) == ()


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        ({"protocols": "NFS"}, "protocols is 'NFS', not a tuple of"),
        ({"protocols": ()}, "protocols is empty"),
        ({"protocols": ("nfs",)}, "protocols has 'nfs', which is none of 'NFS', 'CIFS'"),
        ({"access_types": "user"}, "access_types is 'user', not a tuple of"),
        ({"access_types": ("telepathy",)}, "access_types has 'telepathy'"),
        ({"access_levels": ("rx",)}, "access_levels has 'rx', which is none of 'rw', 'ro'"),
        ({"modes": ()}, "modes is empty"),
        ({"modes": True}, "modes is True, not a tuple of"),
        ({"modes": (True,)}, "does not override setup_server"),
        ({"Options": dict}, "Options is no subclass of share_actors.drivers.DriverOptions"),
        ({"calls_at_once": 0}, "calls_at_once is 0, not a number of 1 or more"),
        ({"allow_access": lambda s, c, h, a, v=None: None}, "overrides allow_access alone"),
        ({"deny_access": lambda s, c, h, a, v=None: None}, "overrides deny_access alone"),
        ({"delete_share": ShareDriver.delete_share}, "does not override delete_share"),
        (
            {"create_share": lambda self, context, share: []},
            "create_share(self, context, share) cannot be called as create_share(self, context, share,",
        ),
        ({"__init__": lambda self: None}, "__init__ does not take (driver_handles_share_servers"),
    ],
)
def test_what_a_class_lacks_is_said_before_it_is_used(
    attributes: dict[str, object], fault: str
) -> None:
    (found,) = class_faults(with_attributes(**attributes))[:1]

    assert f"Odd.{fault}" in found or f"Odd {fault}" in found


def test_a_backend_with_an_incomplete_driver_is_refused_with_all_that_it_lacks() -> None:
    with drivers_registered({"bare": ShareDriver}), pytest.raises(ConfigError) as e:
        make_driver("b", "bare")

    assert e.value.field == "backends.b.driver"
    assert e.value.message == (
        "backends.b.driver: driver 'bare' is not complete: ShareDriver does not override create_share;"
        " ShareDriver does not override delete_share"
    )


def test_a_constructor_that_leaves_out_that_of_its_base_is_named() -> None:
    odd = with_attributes(__init__=lambda self, *args, **kwargs: None)

    with drivers_registered({"odd": odd}), pytest.raises(ConfigError, match=r"super\(\).__init__"):
        make_driver("b", "odd")


# -- rules ---------------------------------------------------------------------------------------
def test_a_driver_without_methods_for_rules_has_no_types_of_them() -> None:
    assert WholeDriver().supported_access("NFS") == {}
    assert OneAtATime().supported_access("NFS") == {"user": ("ro",)}


def test_a_driver_that_applies_single_rules_gets_only_those_that_it_declares() -> None:
    read = AccessRule(id="1", access_type="user", access_to="alice", access_level="ro")
    write = read.replace(id="2", access_level="rw")
    address = read.replace(id="3", access_type="ip", access_to="10.0.0.1")

    assert called_with(OneAtATime(), [read, write, address]) == {
        "2": "access_level 'rw' is not supported: ro",
        "3": "access_type 'ip' is not supported: user",
    }


# -- results -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "returned",
    [
        [ExportLocation(path="/a", preferred=True)],
        [{"path": "/a", "is_admin_only": False, "metadata": {"preferred": True}}],
        [{"path": "/a", "preferred": True}],
    ],
)
def test_export_locations_may_have_the_form_of_manila(returned: list[Any]) -> None:
    assert read_exports("create_share", returned) == (ExportLocation(path="/a", preferred=True),)


@pytest.mark.parametrize("returned", ["/a", ["/a"], ("/a",)])
def test_export_locations_may_be_paths(returned: object) -> None:
    assert read_exports("create_share", returned) == (ExportLocation(path="/a"),)


@pytest.mark.parametrize(
    "returned", [None, 7, b"/a", [None], [""], [{"Path": "/a"}], {"path": "/a"}]
)
def test_what_is_no_export_location_is_refused_with_the_method_and_the_value(
    returned: object,
) -> None:
    with pytest.raises(DriverError, match=r"^create_share returned .*: expected a list of Export"):
        read_exports("create_share", returned)


def test_a_mapping_with_a_wrong_value_is_refused_with_its_field() -> None:
    with pytest.raises(DriverError, match="is_admin_only: Input should be a valid boolean"):
        read_exports("create_share", [{"path": "/a", "is_admin_only": "perhaps"}])


def create_with(create: Callable[..., Any]) -> tuple[str, ...]:
    """The paths of a share of a system whose driver creates shares by *create*."""
    config = Config(backends={"b": {"driver": "odd"}})
    with sync_system(config, drivers={"odd": with_attributes(create_share=create)}) as system:
        return system.create_share(size=1).export_locations


def test_a_system_takes_a_path_and_says_what_it_cannot_take() -> None:
    assert create_with(lambda self, context, share, server=None: "/a") == ("/a",)
    with pytest.raises(OperationFailed, match="create_share returned None: expected a list of"):
        create_with(lambda self, context, share, server=None: None)
