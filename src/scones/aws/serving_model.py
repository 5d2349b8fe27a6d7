"""What the application's bucket says of the model that serves, as a store on one machine says it.

Through the account's own client, not through :func:`scones.registry.point`: the store knows no ``--profile``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from botocore.exceptions import ClientError

from scones.aws.account import Account, error_code, explained
from scones.aws.artefacts import Artefact, upload
from scones.aws.names import Names
from scones.contracts import Policy
from scones.errors import AwsError
from scones.store import Layout

__all__ = ["note_model"]


def note_model(account: Account, names: Names, task: str, known: Sequence[Artefact], policy: Policy) -> None:
    """Write what is known of the model, and the record that it is in production, unless the newest record says so.

    Args:
        account, names: where the application is.
        task: the model's.
        known: of the model.
        policy: who put it in production, and why.

    Raises:
        AwsError: as AWS answers; or somebody else wrote a record at the same moment.
    """
    upload(account, names.bucket, known)
    series = Layout.policy_series(task)
    with explained(f"note in bucket {names.bucket} which model serves"):
        pages = account.s3.get_paginator("list_objects_v2").paginate(Bucket=names.bucket, Prefix=f"{series}/")
        keys = sorted(one["Key"] for page in pages for one in page.get("Contents", []))
        if keys:
            newest = json.loads(account.s3.get_object(Bucket=names.bucket, Key=keys[-1])["Body"].read())
            if (newest.get("version"), newest.get("threshold")) == (policy.version, policy.threshold):
                return
        key = Layout.record(series, int(keys[-1].rpartition("/")[2].removesuffix(".json")) + 1 if keys else 1)
        try:
            account.s3.put_object(Bucket=names.bucket, Key=key, Body=policy.model_dump_json().encode(), IfNoneMatch="*")
        except ClientError as error:
            if error_code(error) != "PreconditionFailed":
                raise
            raise AwsError(f"somebody else wrote {key} in bucket {names.bucket} just now: deploy again") from error
