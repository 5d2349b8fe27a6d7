"""HTTP/1.1 as it comes in: a request is read wherever it is cut, and what could be read in two ways is refused."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scones.serving.wire import Limits, Wire

HEAD = b"POST /invocations HTTP/1.1\r\nHost: here\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def read(*parts: bytes, limits: Limits | None = None) -> Wire:
    wire = Wire(limits)
    for part in parts:
        wire.receive(part)
    return wire


def status(*parts: bytes, limits: Limits | None = None) -> int | None:
    fault = read(*parts, limits=limits).fault
    return fault.status if fault else None


REQUESTS = {
    "a length": (HEAD + b"Content-Type: image/png\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
    "chunks": (CHUNKED + b"1\r\na\r\n2;name=value\r\nbc\r\n0\r\nTrailer: x\r\n\r\n", b"abc"),
    "no body": (b"GET /ping?deep=1 HTTP/1.1\r\nHost: here\r\n\r\n", b""),
    "HTTP/1.0": (b"POST /invocations HTTP/1.0\r\nContent-Length: 1\r\n\r\nx", b"x"),
    "empty lines first": (b"\r\n\r\nGET /ping HTTP/1.1\r\nHost: here\r\n\r\n", b""),
    "an upgrade that is ignored": (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", b""),
}


@pytest.mark.parametrize("name", REQUESTS)
@given(cuts=st.sets(st.integers(1, 150), max_size=20))
def test_a_request_is_the_same_wherever_it_is_cut(name: str, cuts: set[int]) -> None:
    data, body = REQUESTS[name]
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    wire = read(*(data[start:end] for start, end in pairwise(places)))
    assert wire.fault is None
    assert wire.complete
    assert wire.body == body
    assert wire.head is not None
    assert wire.head == read(data).head


def test_a_head_tells_method_path_headers_and_whether_the_connection_goes_on() -> None:
    head = read(HEAD + b"X-One: a\r\nx-one: b\r\nExpect: 100-Continue\r\nContent-Length: 7\r\n\r\n").head
    assert head is not None
    assert (head.method, head.path, head.length, head.expects) == ("POST", "/invocations", 7, True)
    assert head.headers["x-one"] == "a", "of several the first"
    assert head.keep_alive
    for ends in (HEAD + b"Connection: close\r\n\r\n", b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"):
        last = read(ends).head
        assert last is not None
        assert not last.keep_alive


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/endpoints/my%2Dbays/invocations?x=/ping", "/endpoints/my-bays/invocations"),
        (b"http://here:8080/ping", "/ping"),
        (b"http://here", "/"),
        (b"*", "*"),
    ],
)
def test_a_path_is_found_in_every_form_that_a_target_may_have(target: bytes, path: str) -> None:
    head = read(b"OPTIONS " + target + b" HTTP/1.1\r\nHost: here\r\n\r\n").head
    assert head is not None
    assert head.path == path


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        *(
            b"Content-Length: " + bad + b"\r\n\r\nabc"
            for bad in (b"+3", b"-3", b"3, 3", b"0x3", b"3 3", b"", b"9" * 23)
        ),
        b"Content-Length : 3\r\n\r\nabc",
        b"Content-Length:\r\n 3\r\n\r\nabc",
        b"X: a\r\n b\r\n\r\n",
        b"X: a\rY: b\r\n\r\n",
        b"X: a\nContent-Length: 3\r\n\r\nabc",
        b"X: a\0b\r\n\r\n",
        b"X\0: a\r\n\r\n",
        b": nameless\r\n\r\n",
        b"Host: elsewhere\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        *(
            b"Transfer-Encoding: " + bad + b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            for bad in (b"xchunked", b"chunked, identity", b"identity", b"chunked, chunked", b'"chunked"', b"")
        ),
        b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
def test_what_two_servers_could_read_differently_is_refused(headers: bytes) -> None:
    assert status(HEAD + headers) == 400


@pytest.mark.parametrize(
    "body",
    [
        *(size + b"\r\nabc\r\n0\r\n\r\n" for size in (b"+3", b"0x3", b"3_", b"3 ", b" 3", b"-3", b"", b"f" * 17)),
        b"3\nabc\n0\n\n",
        b"3;\nabc\r\n0\r\n\r\n",
        b"3\r\nabcX0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"0\r\nContent-Length: 5\r\n\r\n",
    ],
)
def test_bad_chunks_are_refused(body: bytes) -> None:
    wire = read(CHUNKED + body)
    assert wire.fault is not None
    assert wire.fault.status == 400
    assert not wire.complete


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GET /ping HTTP/1.1\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Expect: a miracle\r\n\r\n", 417),
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01", 400),
        (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (HEAD + b"X: " + b"x" * 33_000, 431),
        (HEAD + b"X: " + b"x" * 33_000 + b"\r\n\r\n", 431),
        (HEAD + b"".join(b"X-%d: x\r\n" % number for number in range(101)) + b"\r\n", 431),
        (b"\r\n" * 20_000, 431),
    ],
)
def test_what_is_not_taken_has_a_status_that_says_so(data: bytes, expected: int) -> None:
    assert status(data) == expected
    assert status(*(data[place : place + 1000] for place in range(0, len(data), 1000))) == expected


def test_chunks_that_are_mostly_wrapping_are_refused_and_small_ones_are_not() -> None:
    wrapped = CHUNKED + b"1;" + b"x" * 70_000 + b"\r\na\r\n0\r\n\r\n"
    assert status(*(wrapped[place : place + 5000] for place in range(0, len(wrapped), 5000))) == 400
    assert status(CHUNKED, *([b"1\r\na\r\n"] * 50_000), b"0\r\n\r\n") is None


def test_a_body_beyond_what_is_allowed_is_counted_and_not_kept() -> None:
    wire = read(HEAD + b"Content-Length: 100000\r\n\r\n")
    wire.most = 10
    for _ in range(100):
        wire.receive(b"x" * 1000)
    assert wire.size == 100_000
    assert len(wire.body) <= 10


def test_the_next_request_is_read_after_the_first_is_answered() -> None:
    wire = Wire()
    for data, body in list(REQUESTS.values())[:3] * 2:
        wire.receive(data[:-1])
        wire.receive(data[-1:])
        assert wire.complete
        assert wire.body == body
        assert not wire.behind
        wire.next()


def test_empty_lines_after_a_body_are_no_request() -> None:
    first = HEAD + b"Content-Length: 1\r\n\r\nx"
    for wire in (read(first + b"\r\n"), read(first[:-1], first[-1:] + b"\r\n")):
        assert (wire.complete, wire.body, wire.behind) == (True, b"x", False)


@pytest.mark.parametrize("extra", [HEAD + b"Content-Length: 1\r\n\r\ny", b"GET / HT", b"nonsense"])
def test_a_request_sent_before_the_answer_is_thrown_away_and_told_of(extra: bytes) -> None:
    first = HEAD + b"Content-Length: 1\r\n\r\nx"
    for wire in (read(first + extra), read(first, extra), read(first[:-1], first[-1:] + extra)):
        assert wire.complete
        assert wire.body == b"x"
        assert wire.behind
        assert wire.fault is None
