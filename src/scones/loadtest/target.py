"""Whom a load is meant for: by default nobody but this machine, so that it cannot hit another by mistake."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from scones.errors import EndpointError, SettingsError

__all__ = ["Target", "find_target"]


@dataclass(frozen=True)
class Target:
    """Where requests go.

    Attributes:
        host: as the ``Host`` header names it.
        path: of the requests.
        address: what is connected to; the name was looked up once, so that it cannot come to mean another machine.
        family: of the address.
    """

    host: str
    path: str
    address: tuple[str, int]
    family: int = socket.AF_INET

    @property
    def url(self) -> str:
        """For people."""
        return f"http://{self.host}{self.path}"


def find_target(url: str, *, remote: bool = False) -> Target:
    """Find out where a load would go.

    Args:
        url: as ``http://127.0.0.1:8080``; without a path ``/invocations`` is asked.
        remote: whether it may be another machine.

    Raises:
        SettingsError: it is no address of HTTP, or of another machine.
        EndpointError: there is no machine of that name.

    Example:
        >>> find_target("http://127.0.0.1:8080").url
        'http://127.0.0.1:8080/invocations'
    """
    parts = urlsplit(url)
    try:
        name, port = parts.hostname, parts.port or 80
    except ValueError:  # the port is no number
        name, port = None, 0
    plain = url.isascii() and url.isprintable() and " " not in url
    if not plain or parts.scheme != "http" or not name or parts.username or parts.fragment:
        raise SettingsError(f"{url!r} is no address that can be loaded: give one as http://127.0.0.1:8080")
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise EndpointError(f"no machine is named {name} ({reason}): check the address {url}") from error
    family, _, _, _, address = found[0]
    if not remote and not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
        raise SettingsError(
            f"{url} is another machine ({address[0]}), and a load can take an endpoint down for those who need it: "
            "if it is yours to load, say so with --remote"
        )
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return Target(parts.netloc, path if path.strip("/") else "/invocations", (str(address[0]), int(address[1])), family)
