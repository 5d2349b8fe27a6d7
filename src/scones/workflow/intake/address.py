"""Where arrivals are taken over HTTP: an address as a person gives it."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from scones.errors import SettingsError
from scones.listening import bind

__all__ = ["listen"]


def listen(address: str) -> socket.socket:
    """Listen on an address.

    Args:
        address: ``127.0.0.1:8090``, ``[::1]:8090``, or a port alone, of this machine. Port 0 takes a free one.

    Raises:
        SettingsError: it is no address.
        PortInUse: another process listens there.
        EndpointError: it is none of this machine's, or may not be used.
    """
    try:
        parts = urlsplit(f"//127.0.0.1:{address}" if address.isdecimal() else f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if host is None or port is None or parts.path or parts.username:
        raise SettingsError(f"--listen {address!r} is no address: use 127.0.0.1:8090, [::1]:8090 or a port alone")
    return bind(host, port, choose="choose another with --listen")
