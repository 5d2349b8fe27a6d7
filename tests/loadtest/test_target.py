from __future__ import annotations

import pytest

from scones.errors import EndpointError, SettingsError
from scones.loadtest import find_target


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://127.3.2.1:8080", "http://[::1]:8080", "http://localhost:8080"]
)
def test_this_machines_own_endpoints_may_be_loaded(url: str) -> None:
    target = find_target(url)
    assert target.url == f"{url}/invocations"
    assert target.address[1] == 8080


def test_another_machine_is_refused_unless_it_is_said_to_be_ones_own() -> None:
    with pytest.raises(SettingsError, match=r"another machine \(192\.0\.2\.7\), .*--remote"):
        find_target("http://192.0.2.7:8080")
    assert find_target("http://192.0.2.7:8080", remote=True).address == ("192.0.2.7", 8080)


def test_all_addresses_of_this_machine_together_are_no_loopback_address() -> None:
    with pytest.raises(SettingsError, match="another machine"):
        find_target("http://0.0.0.0:8080")


def test_a_path_is_kept_and_the_port_of_http_is_80() -> None:
    target = find_target("http://127.0.0.1/endpoints/scones/invocations?a=b")
    assert (target.path, target.address[1]) == ("/endpoints/scones/invocations?a=b", 80)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1",
        "127.0.0.1:8080",
        "http://",
        "http://127.0.0.1:port",
        "http://u:p@127.0.0.1",
        "http://127.0.0.1/\r\nX: y",
        "http://127.0.0.1/ä",
    ],
)
def test_what_is_no_address_of_http_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="is no address that can be loaded: give one as"):
        find_target(url)


def test_a_name_of_no_machine_is_told() -> None:
    with pytest.raises(EndpointError, match=r"no machine is named no-such-machine\.invalid \("):
        find_target("http://no-such-machine.invalid:8080")
