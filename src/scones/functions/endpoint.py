"""The client of the endpoint: boto3's own, everywhere."""

from __future__ import annotations

import ipaddress
import logging
import os
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import botocore
import botocore.session
from botocore.config import Config

from scones.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

__all__ = ["endpoint_client"]


def _session_that_reads_nothing() -> botocore.session.Session:
    """A botocore session that heeds neither environment nor files."""
    # each value is (name in a file, environment variable, default, conversion)
    known = botocore.session.Session.SESSION_VARIABLES
    blind: dict[str, Any] = {name: (None, None, *rest) for name, (_, _, *rest) in known.items()}
    for name in ("config_file", "credentials_file"):
        blind[name] = (None, None, os.devnull, None)
    return botocore.session.Session(session_vars=blind)


def endpoint_client(settings: Settings) -> SageMakerRuntimeClient:
    """Make the ``sagemaker-runtime`` client for the endpoint that the settings name.

    An endpoint on this machine gets requests without a signature: no credentials are looked up or sent,
    no AWS variable or folder is read, and no proxy is asked.
    """
    # at DEBUG it writes down the body of each request, and that is the picture
    logging.getLogger("botocore.endpoint").setLevel(logging.INFO)
    config = Config(
        connect_timeout=min(settings.endpoint_timeout, 3.0),
        read_timeout=settings.endpoint_timeout,
        retries={"total_max_attempts": 1},  # the state machine retries, and shows it
        max_pool_connections=64,
    )
    local = settings.endpoint_url is not None and _on_this_machine(settings.endpoint_url)
    session = _session_that_reads_nothing() if local else botocore.session.Session()
    if local:
        config = config.merge(Config(signature_version=botocore.UNSIGNED, proxies={}))
    client = session.create_client(
        "sagemaker-runtime",
        endpoint_url=settings.endpoint_url,
        region_name="local" if local else None,
        config=config,
    )
    return cast("SageMakerRuntimeClient", client)


def _on_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified
