"""Listening on an address, and telling how to reach it."""

from __future__ import annotations

import socket

import pytest

from scones.errors import EndpointError, PortInUse
from scones.listening import bind, listening_url


@pytest.mark.parametrize("listen", [True, False])
def test_a_port_in_use_is_told_with_the_port_and_the_way_out(listen: bool) -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(
            PortInUse, match=rf"port {port} on 127\.0\.0\.1 is in use .* --port \(port 0 takes a free one"
        ):
            bind("127.0.0.1", port, listen=listen)


def test_an_address_that_is_only_taken_lets_nobody_in() -> None:
    with bind("127.0.0.1", 0, listen=False) as taken, pytest.raises(ConnectionRefusedError):
        socket.create_connection(taken.getsockname(), timeout=5)


@pytest.mark.parametrize(
    ("host", "reason"),
    [("203.0.113.7", "Cannot assign requested address"), ("no such host", "Name or service not known")],
)
def test_an_address_that_is_not_this_machines_is_refused_with_the_reason(host: str, reason: str) -> None:
    with pytest.raises(EndpointError) as caught:
        bind(host, 0)
    assert str(caught.value) == f"cannot listen on {host} port 0 ({reason}): choose others with --host and --port"


def test_the_address_told_is_one_that_a_client_can_reach() -> None:
    with bind("0.0.0.0", 0) as listener:
        assert listening_url(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
