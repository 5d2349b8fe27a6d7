"""Connections of callers that are slow, impatient, rude or gone: each ends, and none of them disturbs the others."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any

import pytest

from scones.serving.connection import Connection
from scones.serving.exchange import Exchange
from scones.serving.message import CONTINUE, Reply
from scones.serving.terms import Patience

from .conftest import post, replies

Start = Callable[..., str]
Connect = Callable[[str], socket.socket]
Png = Callable[..., bytes]
QUICK = Patience(head=0.1, body=0.1, idle=0.3, send=0.1, linger=0.2)


def ended(wire: socket.socket) -> bool:
    """Whether the endpoint ends the connection, and sends nothing before."""
    try:
        return wire.recv(65536) == b""
    except ConnectionResetError:
        return True


def test_many_requests_go_through_one_connection(endpoint_url: str, connect: Connect, png_bytes: Png) -> None:
    wire = connect(endpoint_url)
    for _ in range(5):
        wire.sendall(post(png_bytes()))
        [(status, headers, body)] = replies(wire)
        assert (status, body[:1]) == (200, b"[")
        assert "connection" not in headers
        assert headers["date"].endswith(" GMT")


@pytest.mark.parametrize(
    "request_", [b"GET /ping HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n", b"GET /ping HTTP/1.0\r\n\r\n"]
)
def test_a_caller_that_wants_one_answer_gets_one_and_the_end(
    endpoint_url: str, connect: Connect, request_: bytes
) -> None:
    wire = connect(endpoint_url)
    wire.sendall(request_)
    [(status, headers, _)] = replies(wire)
    assert (status, headers["connection"]) == (200, "close")
    assert ended(wire)


def test_asking_with_head_gets_the_length_and_no_body(endpoint_url: str, connect: Connect) -> None:
    wire = connect(endpoint_url)
    wire.sendall(b"HEAD /metrics HTTP/1.1\r\nHost: here\r\n\r\n")
    head = wire.recv(65536)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert head.endswith(b"\r\n\r\n")
    assert b"content-length: 0" not in head


def test_a_caller_that_waits_to_be_asked_for_the_body_is_asked(
    endpoint_url: str, connect: Connect, png_bytes: Png
) -> None:
    wire, data = connect(endpoint_url), post(png_bytes(), "Expect: 100-continue")
    head, _, body = data.partition(b"\r\n\r\n")
    wire.sendall(head + b"\r\n\r\n")
    assert replies(wire)[0][0] == 100
    wire.sendall(body)
    assert replies(wire)[0][0] == 200
    wire.sendall(data)  # one that did not wait is not asked
    assert replies(wire)[0][0] == 200


def test_a_caller_that_waits_is_refused_without_being_asked_for_the_body(endpoint_url: str, connect: Connect) -> None:
    wire = connect(endpoint_url)
    wire.sendall(
        b"POST /invocations HTTP/1.1\r\nHost: here\r\nContent-Type: text/csv\r\nExpect: 100-continue\r\n"
        b"Content-Length: 100\r\n\r\n"
    )
    [(status, headers, _)] = replies(wire)
    assert (status, headers["connection"]) == (415, "close")


def test_a_body_in_a_thousand_pieces_is_put_together(endpoint_url: str, connect: Connect, png_bytes: Png) -> None:
    picture = png_bytes(size=(60, 50))
    wire = connect(endpoint_url)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wire.sendall(
        b"POST /invocations HTTP/1.1\r\nHost: here\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    for byte in picture:
        wire.sendall(b"1\r\n%c\r\n" % byte)
    wire.sendall(b"0\r\n\r\n")
    assert replies(wire)[0][0] == 200


def test_a_caller_that_does_not_wait_for_answers_gets_the_first_and_is_closed(
    endpoint_url: str, connect: Connect, png_bytes: Png
) -> None:
    wire = connect(endpoint_url)
    wire.sendall(post(png_bytes()) * 3)
    [(status, _, _)] = replies(wire)
    assert status == 200
    assert ended(wire)


def test_a_caller_that_ends_its_side_still_gets_its_answer(
    start_endpoint: Start, connect: Connect, png_bytes: Png, gated: Any
) -> None:
    wire = connect(start_endpoint(gated))
    wire.sendall(post(png_bytes()))
    wire.shutdown(socket.SHUT_WR)
    assert gated.arrived.acquire(timeout=20)
    gated.gate.set()
    told = b""
    while more := wire.recv(4096):
        told += more
    assert told.removeprefix(CONTINUE).startswith(b"HTTP/1.1 200 OK\r\n"), "it may be asked whether it is there"


@pytest.mark.parametrize(
    "sent", [b"", b"GET /pi", b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"]
)
def test_a_caller_that_ends_in_the_middle_is_closed(endpoint_url: str, connect: Connect, sent: bytes) -> None:
    wire = connect(endpoint_url)
    wire.sendall(sent)
    wire.shutdown(socket.SHUT_WR)
    last = b""
    while more := wire.recv(4096):
        last = more
    assert last == b"" or last.startswith(b"HTTP/1.1 4")


def test_headers_that_drip_are_cut_off_and_so_is_a_caller_that_says_nothing(
    start_endpoint: Start, connect: Connect
) -> None:
    url = start_endpoint(patience=QUICK)
    dripping, silent = connect(url), connect(url)
    dripping.settimeout(0.01)
    dripping.sendall(b"GET /ping HTTP/1.1\r\n")
    begun, answer = time.monotonic(), b""
    while not answer and time.monotonic() < begun + 10:
        dripping.sendall(b"X: y\r\n")
        with suppress(TimeoutError):
            answer = dripping.recv(4096)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert ended(silent)


def test_a_connection_that_is_not_used_is_closed_in_time(
    start_endpoint: Start, connect: Connect, png_bytes: Png
) -> None:
    wire = connect(start_endpoint(patience=QUICK))
    wire.sendall(post(png_bytes()))
    assert replies(wire)[0][0] == 200
    assert ended(wire)


def test_a_caller_that_does_not_close_after_it_was_told_is_closed(start_endpoint: Start, connect: Connect) -> None:
    wire = connect(start_endpoint(patience=QUICK))
    wire.sendall(b"nonsense\r\n\r\n")
    assert replies(wire)[0][0] == 400
    until = time.monotonic() + 10
    with suppress(ConnectionError):
        while time.monotonic() < until:
            wire.sendall(b"more of it" * 1000)
    assert time.monotonic() < until


def test_callers_that_break_off_at_any_point_leave_nothing_behind(
    start_endpoint: Start, connect: Connect, send: Callable[..., Any], png_bytes: Png, wait_until: Callable[..., None]
) -> None:
    url = start_endpoint()
    data = post(png_bytes())
    for place in range(0, len(data) + 1, 3):
        wire = connect(url)
        wire.sendall(data[:place])
        if place % 2:  # with a reset instead of an end
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.close()
    left = re.compile(r'^scones_endpoint_(inside|connections){endpoint="scones"} (\d+)$', re.M)
    wait_until(
        lambda: (
            left.findall(send(url, "/metrics", method="GET").body.decode()) == [("inside", "0"), ("connections", "0")]
        )
    )
    assert send(url, "/invocations", png_bytes()).status == 200


def test_when_there_is_no_room_the_slowest_make_way(start_endpoint: Start, connect: Connect, png_bytes: Png) -> None:
    url = start_endpoint(most_connections=20)
    slow = [connect(url) for _ in range(60)]
    for wire in slow:
        wire.sendall(b"GET /ping HTTP/1.1\r\n")
    quick = connect(url)
    for _ in range(3):
        quick.sendall(post(png_bytes()))
        assert replies(quick)[0][0] == 200
    assert ended(slow[0])


def test_a_body_that_is_refused_early_is_still_taken_so_that_the_caller_can_read_why(
    endpoint_url: str, connect: Connect
) -> None:
    wire = connect(endpoint_url)
    with ThreadPoolExecutor() as callers:
        sent = callers.submit(wire.sendall, post(bytes(5_000_000)))
        assert replies(wire)[0][0] == 413
        sent.result()


class Held:
    """A socket whose sending is done when the test says so, as where another thread has the processor."""

    def __init__(self, sock: socket.socket) -> None:
        self.recv_into, self.fileno, self._send = sock.recv_into, sock.fileno, sock.send
        self.gate = threading.Event()

    def send(self, data: bytes) -> int:
        sent = self._send(data)
        assert self.gate.wait(20)
        return sent


class Alone:
    """The loop and the service of one connection, whose answer comes from another thread."""

    now, draining = 0.0, False
    exchange: Exchange

    def later(self, work: Any) -> None: ...
    def watch(self, connection: Connection, *, read: bool, write: bool) -> None: ...
    def forget(self, connection: Connection) -> None: ...
    def lost(self, exchange: Exchange) -> None: ...
    def tick(self, connections: int) -> None: ...

    def refuse(self, exchange: Exchange | None, status: int, message: str) -> Reply:
        raise AssertionError(message)

    def judge(self, exchange: Exchange) -> int:
        self.exchange = exchange
        return 1000

    def take(self, exchange: Exchange, body: bytes) -> None: ...


def test_a_caller_that_has_its_answer_before_it_is_done_with_is_idle_when_it_is(png_bytes: Png) -> None:
    """Else an endpoint that stops at that moment would wait all its time for a request that never comes."""
    here, there = socket.socketpair()
    with here, there, ThreadPoolExecutor() as threads:
        held, host = Held(here), Alone()
        connection = Connection(held, host, host, Patience())  # type: ignore[arg-type]
        there.sendall(post(png_bytes()))
        connection.readable(memoryview(bytearray(65536)))
        answering = threads.submit(host.exchange.reply, Reply(200, b"[1]"))
        assert replies(there)[0][0] == 200
        idle = threads.submit(lambda: connection.idle)
        wait([idle], 0.1)  # it would say at once that it is not
        held.gate.set()
        assert answering.result()
        assert idle.result()


def test_an_answer_that_goes_out_in_parts_while_the_endpoint_stops_is_the_last_one_there(
    png_bytes: Png,
) -> None:
    here, there = socket.socketpair()
    with here, there:
        here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        here.settimeout(0)
        host = Alone()
        asked: list[Any] = []
        host.later = asked.append  # type: ignore[method-assign,assignment]
        connection = Connection(here, host, host, Patience())
        there.sendall(post(png_bytes()))
        connection.readable(memoryview(bytearray(65536)))
        assert host.exchange.reply(Reply(200, b"1" * 100_000))
        assert not connection.idle
        host.draining = True
        there.settimeout(0.01)
        while connection.linger not in asked:
            with suppress(TimeoutError):
                there.recv(65536)
            connection.writable()
        connection.linger()
        there.settimeout(20)
        while there.recv(65536):
            pass
        connection.close()
