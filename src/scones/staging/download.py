"""Fetch a file over HTTP so that it is either there whole and checked, or not there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import urllib3

from scones.errors import DownloadFailed
from scones.http_client import open_client, reason

__all__ = ["Transfer", "download", "file_md5"]

Transfer = Callable[[int, int], None]
"""Called as bytes come in: bytes done, bytes in all (0: the server does not say)."""

_CHUNK = 1 << 16  # what a broken connection loses at most


def download(
    url: str,
    to: Path,
    *,
    md5: str,
    timeout: float = 30.0,
    progress: Transfer | None = None,
    http: urllib3.PoolManager | None = None,
) -> Path:
    """Fetch a file, unless it is there already.

    The bytes gather in ``<to>.part``. A broken connection is taken up where it broke (HTTP ``Range``),
    now as long as each attempt brings something, and by the next call. Only a file with the right
    checksum gets its name; one with a wrong checksum is put aside as ``<to>.bad``.

    Args:
        url: the address.
        to: the file's path; its folder is made when it is missing.
        md5: the published checksum, hex.
        timeout: seconds to wait for a connection, and for each next byte.
        progress: called as bytes come in.
        http: the client; default: one that heeds ``HTTPS_PROXY`` and its like.

    Returns:
        ``to``.

    Raises:
        DownloadFailed: no answer, another answer than the file, or no place to write it.
    """
    part, bad = to.with_name(to.name + ".part"), to.with_name(to.name + ".bad")
    try:
        if to.is_file():
            if file_md5(to) == md5:
                return to
            to.replace(bad)  # damaged since it was fetched
        to.parent.mkdir(parents=True, exist_ok=True)
        _fetch(http or open_client(url), url, part, timeout, progress)
        if (found := file_md5(part)) != md5:
            part.replace(bad)
            raise DownloadFailed(
                f"{url} has MD5 checksum {found}, not the published {md5}: it was put aside as {bad}; "
                "try again, or give a file that you trust with --archive"
            )
        part.replace(to)
    except OSError as error:
        raise DownloadFailed(f"cannot write {part} ({error.strerror}): free some space or allow it") from error
    return to


def file_md5(path: Path) -> str:
    """The MD5 checksum of a file, hex: to compare with a published one, not against an attacker."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _fetch(http: urllib3.PoolManager, url: str, part: Path, timeout: float, progress: Transfer | None) -> None:
    best = _size(part)
    while True:
        try:
            _attempt(http, url, part, timeout, progress)
        except urllib3.exceptions.HTTPError as error:
            if _size(part) <= best:  # nothing new came: going on would not help
                raise DownloadFailed(
                    f"{url} does not answer ({reason(error)}): try again, or give the file with --archive"
                ) from error
            best = _size(part)
        else:
            return


def _attempt(http: urllib3.PoolManager, url: str, part: Path, timeout: float, progress: Transfer | None) -> None:
    have = _size(part)
    response = http.request(
        "GET",
        url,
        headers={"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})},
        timeout=urllib3.Timeout(connect=timeout, read=timeout),
        retries=urllib3.Retry(total=5, connect=0, read=0, status=0, other=0, redirect=5),
        preload_content=False,
    )
    try:
        if have and response.status == 416:
            if response.headers.get("Content-Range") == f"bytes */{have}":
                return  # all of it was there already
            part.unlink()  # longer than the file itself: begin again
            _attempt(http, url, part, timeout, progress)
            return
        if response.status not in (200, 206):
            answer = f"{response.status} {response.reason or ''}".strip()
            raise DownloadFailed(f"{url} answers {answer}: give the file with --archive")
        resumed = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if response.status == 206 and not resumed:
            raise DownloadFailed(f"{url} answers with another part of the file than asked: remove {part}, try again")
        done = have if resumed else 0
        length = int(response.headers.get("Content-Length") or 0)
        total = done + length if length else 0
        with part.open("ab" if resumed else "wb") as file:
            for chunk in response.stream(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total)
    finally:
        response.close()


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
