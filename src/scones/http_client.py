"""HTTP as this machine's proxies have it, and what went wrong with it, in words."""

from __future__ import annotations

import re
import urllib.request
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, ProxyError

__all__ = ["open_client", "reason"]


def open_client(url: str) -> urllib3.PoolManager:
    """A client for an address, which heeds ``HTTPS_PROXY`` and its like; to be closed."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy)
    return urllib3.PoolManager()


def reason(error: Exception) -> str:
    """What went wrong, without the connection's own name, as in ``HTTPConnection(host='…', port=80): …``."""
    found = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    if isinstance(found, ProxyError):
        return f"{found.args[0]}: {reason(found.original_error)}"
    said = found.args[0] if isinstance(found, HTTPError) and found.args else found  # the first is what it says itself
    return re.sub(r"^HTTPS?Connection(Pool)?\([^)]*\): ", "", str(said))
