"""Requests as nobody should send them, as the bytes of a connection: shapes that two servers in a row read differently,
lengths and chunks that are none, headers without end, bodies that never come, noise.

All follow from a seed. Each says what may come back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

from fuzz_pictures import Hostile

__all__ = ["Talk", "picture_talk", "request_talk"]

CLIENT = frozenset(range(400, 500))
"""It is the caller's fault."""
HELD_BACK = b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"
"""A second request, hidden in the first one's body: it must never be answered."""

End = Literal["half", "close", "wait"]


@dataclass(frozen=True)
class Talk:
    """What is said on a connection, and what may come back.

    Attributes:
        kind: of mischief.
        parts: sent one after the other; between two of them passes a moment.
        allowed: the statuses that are right, of every answer.
        end: after the last part the caller ends its own side and listens ("half"), goes away ("close"), or listens
            for one answer ("wait").
        silent: closing the connection without an answer is right as well.
        most: so many answers are right, at most; one more was smuggled.
        json: a body with probabilities must come with status 200.
    """

    kind: str
    parts: tuple[bytes, ...]
    allowed: frozenset[int]
    end: End = "half"
    silent: bool = True
    most: int = 1
    json: bool = False


def picture_talk(hostile: Hostile, random: Random) -> Talk:
    """A proper request with a hostile picture, on the container's path or the runtime's, plain or in chunks."""
    runtime = random.random() < 0.2
    path = "/endpoints/scones/invocations" if runtime else "/invocations"
    # the runtime's path tells of every refusal by the model as 424
    allowed = frozenset(424 if runtime and status != 200 else status for status in hostile.allowed)
    kind = random.choice(("image/png", "image/jpeg", "image/webp", "application/x-image", "application/octet-stream"))
    body = hostile.data
    length = f"Content-Length: {len(body)}"
    if random.random() < 0.2:
        length, body = "Transfer-Encoding: chunked", _chunks(body, random)
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: {kind}\r\n{length}\r\n\r\n".encode()
    end: End = "wait" if random.random() < 0.5 else "half"
    return Talk(hostile.kind, (head + body,), allowed, end, silent=False, json=True)


def request_talk(picture: bytes, random: Random) -> Talk:
    """A hostile request; ``picture`` is a good one."""
    name, make = random.choice(_TALKS)
    talk = make(picture, random)
    return Talk(name, talk.parts, talk.allowed, talk.end, talk.silent, talk.most, talk.json)


def _head(*lines: str, method: str = "POST", target: str = "/invocations", version: str = "HTTP/1.1") -> bytes:
    return "\r\n".join([f"{method} {target} {version}", "Host: h", "Content-Type: image/png", *lines, "", ""]).encode(
        "latin-1"
    )


def _chunks(data: bytes, random: Random) -> bytes:
    found, place = b"", 0
    while place < len(data):
        size = random.randint(1, max(1, len(data) // 2))
        part = data[place : place + size]
        found += b"%x\r\n%s\r\n" % (len(part), part)
        place += size
    return found + b"0\r\n\r\n"


def _smuggled(picture: bytes, random: Random) -> Talk:
    """Two lengths, or a length and chunks: whoever reads the one sees another request than who reads the other."""
    size = len(picture)
    lengths = (
        (f"Content-Length: {size}", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", f"Content-Length: {size}"),
        (f"Content-Length: {size}", "Transfer-Encoding: xchunked"),
        (f"Content-Length: {size}", "Transfer-Encoding : chunked"),
        (f"Content-Length: {size}", "Transfer-Encoding:\x0bchunked"),
        (f"Content-Length: {size}", "Transfer-Encoding: chunked, identity"),
        (f"Content-Length: {size}", f"Content-Length: {size + 5}"),
        (f"Content-Length: {size}, {size + 5}",),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
        ("Transfer-Encoding: identity, chunked", f"Content-Length: {size}"),
        (f"X: a\nContent-Length: {size}", "Transfer-Encoding: chunked"),
        (f"X: a\rContent-Length: {size}", "Transfer-Encoding: chunked"),
    )
    body = random.choice((b"0\r\n\r\n" + HELD_BACK, _chunks(picture, random) + HELD_BACK, picture + HELD_BACK))
    return Talk("", (_head(*random.choice(lengths)) + body,), CLIENT)


def _length(picture: bytes, random: Random) -> Talk:
    """A length that is none."""
    strange = (
        "-1",
        "+5",
        "0x10",
        "5 5",
        " ",
        "",
        "1e3",
        "5;",
        "٣",
        "5\x00",
        "999999999999999999999999",
        f"{2**64}",
        "5,5",
    )
    said = random.choice(strange).encode().decode("latin-1")
    return Talk("", (_head(f"Content-Length: {said}") + picture + HELD_BACK,), CLIENT)


def _chunked(_picture: bytes, random: Random) -> Talk:
    """Chunks that are none, or are mostly wrapping."""
    broken = (
        b"-5\r\nhello\r\n", b"g\r\n", b"\r\n\r\n", b"5\r\nhel", b"5\r\nhelloXX0\r\n\r\n", b"ffffffffffffffffff\r\nx",
        b"5\nhello\n0\n\n", b"5 ;\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"1\r\na\r\n" * 30_000,
    )  # fmt: skip
    wrapped = (b"5;" + b"a" * 100_000 + b"\r\nhello\r\n0\r\n\r\n", b"0\r\n" + b"X: y\r\n" * 20_000 + b"\r\n")
    said = random.choice(wrapped) if random.random() < 0.15 else random.choice(broken) + HELD_BACK
    return Talk("", (_head("Transfer-Encoding: chunked") + said,), CLIENT)


def _headers(picture: bytes, random: Random) -> Talk:
    """Headers without end, and lines that are none."""
    strange = (
        "X: " + "y" * random.choice((40_000, 200_000)),
        "\r\n".join(f"X-{number}: y" for number in range(random.choice((200, 5000)))),
        "Y" * 40_000 + ": y",
        "no colon here", ": no name", "X\x00: y", "X: \x00", "X : y", " folded: y", "X: a\r\n b", "X: a\nY: b",
        "X: \x7f\x01",
        "Host: twice", "Expect: the-unexpected", "Expect: 100-continue, 200-ok", "Connection: \x00",
        "X-Amzn-SageMaker-Inference-Id: " + "a" * 100, "X-Amzn-SageMaker-Inference-Id: a;b=c",
        "X-Amzn-SageMaker-Inference-Id: \xe9", "X-Amzn-SageMaker-Target-Variant: none",
        "X-Amzn-SageMaker-Target-Variant: " + "a" * 9000,
    )  # fmt: skip
    return Talk("", (_head(random.choice(strange), f"Content-Length: {len(picture)}") + picture,), CLIENT | {200})


def _first_line(picture: bytes, random: Random) -> Talk:
    """A first line of another protocol, or of none."""
    size = f"Content-Length: {len(picture)}"
    method = random.choice(
        ("POST", "GET", "PUT", "DELETE", "TRACE", "CONNECT", "OPTIONS", "PRI", "BREW", "post", "P\x00ST", "")
    )
    target = random.choice((
        "/invocations", "/ping", "*", "/", "//invocations", "/invocations/..", "/%00", "/%zz", "/\xe9", "invocations",
        "http://h/invocations", "http://[::1", "h:443", "/" + "a" * 20_000, "/invocations?" + "a=b&" * 5000,
        "/endpoints/other/invocations", "/endpoints/" + "a" * 5000 + "/invocations", "/endpoints/%2e%2e/invocations",
        "/in vocations",
    ))  # fmt: skip
    version = random.choice(
        ("HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/9.9", "HTTP/1.10", "HTTP", "", "ICY")
    )
    return Talk("", (_head(size, method=method, target=target, version=version) + picture,), CLIENT | {200})


def _protocol(_picture: bytes, random: Random) -> Talk:
    """Another protocol altogether."""
    said = random.choice((
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.randbytes(200),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\0" * 300, b"\r\n" * 5000, b"\n", random.randbytes(random.randint(1, 500)),
    ))  # fmt: skip
    return Talk("", (said,), CLIENT)


def _type(picture: bytes, random: Random) -> Talk:
    """A content type that is not taken."""
    kind = random.choice((
        "text/html", "application/json", "image/gif", "image/svg+xml", "", "image", "image/png2", "image/*",
        "multipart/form-data; boundary=b", "x" * 5000, "\xff\xfe",
    ))  # fmt: skip
    head = f"POST /invocations HTTP/1.1\r\nHost: h\r\nContent-Type: {kind}\r\nContent-Length: {len(picture)}\r\n\r\n"
    return Talk("", (head.encode("latin-1") + picture,), frozenset({415}), silent=False)


def _size(picture: bytes, random: Random) -> Talk:
    """A body that is empty, or larger than anything; of the large ones only the beginning comes."""
    if random.random() < 0.3:
        return Talk("", (_head("Content-Length: 0"),), frozenset({400}), silent=False)
    size = random.choice((31 * 2**20, 2**31, 2**40, 2**62))
    return Talk("", (_head(f"Content-Length: {size}"), picture), frozenset({413}), "half")


def _left(picture: bytes, random: Random) -> Talk:
    """A caller that goes away in the midst of it, or after the whole of it."""
    whole = _head(f"Content-Length: {len(picture)}") + picture
    if random.random() < 0.3:
        return Talk("", (whole,), CLIENT | {200}, "close")
    return Talk("", (whole[: random.randrange(len(whole))],), CLIENT, random.choice(("close", "half")))


def _slow(picture: bytes, random: Random) -> Talk:
    """A proper request in many small parts; it must be answered."""
    whole = _head(f"Content-Length: {len(picture)}") + picture
    cuts = sorted(random.sample(range(1, len(whole)), 6))
    parts = tuple(whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True))
    return Talk("", parts, frozenset({200}), silent=False, json=True)


def _two(picture: bytes, _random: Random) -> Talk:
    """Two proper requests at once: the second may be answered, or the connection closed."""
    whole = _head(f"Content-Length: {len(picture)}") + picture
    return Talk("", (whole + whole,), frozenset({200}), silent=False, most=2, json=True)


def _expecting(picture: bytes, _random: Random) -> Talk:
    """A caller that waits to be told to go on."""
    head = _head("Expect: 100-continue", f"Content-Length: {len(picture)}")
    return Talk("", (head, picture), frozenset({200}), silent=False, json=True)


def _damaged(picture: bytes, random: Random) -> Talk:
    """A proper request of which some bytes are others."""
    whole = bytearray(_head(f"Content-Length: {len(picture)}", "X-Amzn-SageMaker-Inference-Id: a") + picture)
    for _ in range(random.randint(1, 8)):
        place = random.randrange(140 if random.random() < 0.8 else len(whole))
        whole[place] = random.choice(
            (whole[place] ^ (1 << random.randrange(8)), random.randrange(256), 0, 10, 13, 32, 58)
        )
    return Talk("", (bytes(whole),), CLIENT | {200}, most=2)


_TALKS: tuple[tuple[str, Callable[[bytes, Random], Talk]], ...] = (
    ("smuggling", _smuggled), ("a length that is none", _length), ("chunks that are none", _chunked),
    ("headers", _headers), ("first line", _first_line), ("another protocol", _protocol), ("content type", _type),
    ("size", _size), ("goes away", _left), ("slow sender", _slow), ("two at once", _two), ("expects 100", _expecting),
    ("damaged request", _damaged),
)  # fmt: skip
