"""Addresses of clients, as NFS-Ganesha and the kernel write them."""

from __future__ import annotations

import os
import socket

import pytest

from share_actors.drivers.ganesha.clients import connected_to, plain_address


@pytest.mark.parametrize(
    ("text", "address"),
    [("::ffff:10.0.0.7", "10.0.0.7"), ("10.0.0.7", "10.0.0.7"), ("fd99::703", "fd99::703")],
)
def test_an_ipv4_address_in_ipv6_form_is_an_ipv4_address(text: str, address: str) -> None:
    assert plain_address(text) == address


@pytest.mark.parametrize(("family", "host"), [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")])
def test_an_address_is_connected_until_its_connection_is_closed(family: str, host: str) -> None:
    with socket.socket(getattr(socket, family)) as server:
        try:
            server.bind((host, 0))
        except OSError:
            pytest.skip(f"this machine has no {host}")
        server.listen()
        port = server.getsockname()[1]
        assert connected_to(os.getpid(), port) == frozenset()

        with socket.create_connection((host, port)), server.accept()[0]:
            assert connected_to(os.getpid(), port) == {host}

        assert connected_to(os.getpid(), port) == frozenset()
