"""Listen on an address of this machine, and tell how to reach it."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from typing import Any

from scones.errors import EndpointError, PortInUse

__all__ = ["bind", "listening_url"]


def bind(
    host: str, port: int, *, choose: str = "choose others with --host and --port", listen: bool = True
) -> socket.socket:
    """Listen on an address, before anything expensive is done.

    Args:
        host: a name or an IP address of this machine.
        port: 0 takes a free one.
        choose: what a person is to do where it cannot be.
        listen: False only takes the address: nobody who connects is let in.

    Raises:
        PortInUse: another process listens there.
        EndpointError: the address is not one of this machine's, or may not be used.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        if listen:
            return socket.create_server(address[:2], family=family, backlog=2048)
        return _taken(family, address[:2])
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"port {port} on {host} is in use by another process: stop that one, or {choose} "
                "(port 0 takes a free one)"
            ) from error
        # Python's own text repeats the address; the numbers of names that are not known lie below 0
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise EndpointError(f"cannot listen on {host} port {port} ({reason}): {choose}") from error


def _taken(family: int, address: tuple[Any, ...]) -> socket.socket:
    """As ``socket.create_server`` does it, but for listening."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def listening_url(listener: socket.socket) -> str:
    """The address at which a client on this machine reaches a listening socket, as ``http://127.0.0.1:8080``."""
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"http://{address}:{port}" if address.version == 4 else f"http://[{address}]:{port}"
