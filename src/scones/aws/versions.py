"""Removes objects from a bucket of S3 for good: every version of them, and the delete markers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from os.path import commonprefix
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from scones.aws.account import Account, error_code, explained
from scones.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

__all__ = ["delete_versions", "list_folders", "list_versions"]

_AT_ONCE: Final = 1000
"""Versions that one request can remove."""


def list_folders(account: Account, bucket: str, prefix: str) -> list[str]:
    """The names of the folders right below a prefix, which ends with ``/`` or is empty.

    One of which only old versions are left is among them; raises as :func:`list_versions`.
    """
    found = []
    with explained(f"list the versions in bucket {bucket}"):
        for page in account.s3.get_paginator("list_object_versions").paginate(
            Bucket=bucket, Prefix=prefix, Delimiter="/"
        ):
            found += [folder["Prefix"] for folder in page.get("CommonPrefixes", ())]
    return [folder.removeprefix(prefix).removesuffix("/") for folder in found]


def list_versions(
    account: Account, bucket: str, keys_or_prefix: str | Iterable[str], *, only_old: bool = False
) -> Iterator[ObjectIdentifierTypeDef]:
    """List versions and delete markers; an object of a bucket without versions has one, ``null``.

    Args:
        account: that may list the bucket's versions.
        bucket: its name; one that is gone has none.
        keys_or_prefix: the whole keys of the objects, or what their keys begin with (``""``: all of them).
        only_old: leave out the newest one of each object.

    Raises:
        AwsAccess, AwsError: as AWS answers.
    """
    if isinstance(keys_or_prefix, str):
        yield from _below(account, bucket, keys_or_prefix, only_old)
        return
    for _, keys in groupby(sorted(keys_or_prefix), key=lambda key: key.rpartition("/")[0]):
        wanted = {*keys}
        first = commonprefix([*wanted])  # noqa: RUF071 - as S3 compares: few requests for many keys of a folder
        for found in _below(account, bucket, first, only_old):
            if found["Key"] in wanted:
                yield found


def _below(account: Account, bucket: str, prefix: str, only_old: bool) -> Iterator[ObjectIdentifierTypeDef]:
    pages = account.s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    with explained(f"list the versions in bucket {bucket}"):
        try:
            for page in pages:
                for found in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    if not (only_old and found["IsLatest"]):
                        yield {"Key": found["Key"], "VersionId": found["VersionId"]}
        except ClientError as error:
            if error_code(error) != "NoSuchBucket":
                raise


def delete_versions(
    account: Account,
    bucket: str,
    keys_or_prefix: str | Iterable[str],
    report: Callable[[int], object] = lambda _: None,
    *,
    only_old: bool = False,
) -> int:
    """Remove objects with all their versions and delete markers; what is gone already is no error.

    Args:
        account: that may list and remove the bucket's versions.
        bucket: its name; one that is gone has nothing.
        keys_or_prefix: the whole keys of the objects, or what their keys begin with (``""`` empties the bucket).
        report: told how many versions are gone so far, after each request.
        only_old: keep the newest one of each object.

    Returns:
        How many versions and markers were removed.

    Raises:
        AwsAccess, AwsError: as AWS answers, also where it keeps some, as under an object lock.
    """
    removed = 0
    for some in _by_request(account, bucket, keys_or_prefix, only_old):
        with explained(f"remove versions from bucket {bucket}"):
            answer = account.s3.delete_objects(Bucket=bucket, Delete={"Objects": some, "Quiet": True})
        if kept := answer.get("Errors", []):
            first = kept[0]
            raise AwsError(
                f"bucket {bucket} keeps {len(kept)} versions, as of {first.get('Key')}: "
                f"{first.get('Code')}: {first.get('Message')}; lift what protects them, then do this again"
            )
        removed += len(some)
        report(removed)
    return removed


def _by_request(
    account: Account, bucket: str, keys_or_prefix: str | Iterable[str], only_old: bool
) -> Iterator[list[ObjectIdentifierTypeDef]]:
    def listed() -> Iterator[ObjectIdentifierTypeDef]:
        return list_versions(account, bucket, keys_or_prefix, only_old=only_old)

    if isinstance(keys_or_prefix, str):  # from the start each time: a list cannot go on after a version that is gone
        while some := list(islice(listed(), _AT_ONCE)):
            yield some
        return
    found = list(listed())
    for first in range(0, len(found), _AT_ONCE):
        yield found[first : first + _AT_ONCE]
