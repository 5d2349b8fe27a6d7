"""The scheduled monitor: see what was captured since it last looked, publish figures, and act where it may.

It acts by a parameter of the stack alone, so that the next deployment does not undo it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from scones.contracts import parse
from scones.errors import AwsError, ObjectExists
from scones.functions.capture_window import next_window
from scones.functions.runtime import Runtime, default_runtime
from scones.functions.threshold_floor import raise_floor
from scones.functions.watched import Watched, look
from scones.settings import Settings
from scones.store import Layout

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef

__all__ = ["Clients", "handler", "watch_capture"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clients:
    """What the monitor speaks to."""

    cloudwatch: CloudWatchClient
    cloudformation: CloudFormationClient


def watch_capture(runtime: Runtime, clients: Clients) -> Watched | None:
    """Look once, publish the figures, act where that is allowed, and write down what was seen, decided and done.

    Args:
        runtime: settings, clock and the bucket.
        clients: of CloudWatch and CloudFormation.

    Returns:
        The record; None where no full hour has passed since the last one, or another run was first.

    Raises:
        StoreError: the store does not answer.
        MessageError: the last record is damaged.
        AwsError: the figures could not be published, and nothing is written; or the parameter could not be set, which
            the record tells, and the next run tries again.
    """
    series = Layout.monitor_series(runtime.settings.endpoint)
    number = runtime.home.latest_number(series)
    key = Layout.record(series, number)
    last = parse(Watched, runtime.home.get_json(key), key) if number else None
    now = datetime.fromtimestamp(runtime.clock(), UTC)
    window = next_window(now, last.until if last else None)
    if window is None:
        return None
    seen = look(runtime, window, last, now)
    fault: AwsError | None = None
    try:
        update = _act(seen, runtime.settings, clients.cloudformation)
    except AwsError as error:
        fault, update = error, {"did": f"failed: {error}"}
    seen = seen.model_copy(update=update)
    _publish(seen, runtime.settings.stack, clients.cloudwatch)
    try:
        # last, and not first: what is repeated after a failure is better than what nobody ever told
        runtime.home.append(series, seen.model_dump(mode="json"), after=number)
    except ObjectExists:
        _log.warning("another run of the monitor was first, and wrote the record")
        return None
    if fault is not None:
        raise fault
    return seen


def _act(seen: Watched, settings: Settings, cloudformation: CloudFormationClient) -> dict[str, Any]:
    """Do what was decided; what that changes in the record. After it acted, the row begins anew."""
    if seen.decision != "raise":
        return {"did": "nothing"}
    if not settings.monitor_acts:
        return {"did": f"nothing: it only watches; it would raise the floor to {settings.drift_floor:g}", "in_a_row": 0}
    raised, did = raise_floor(cloudformation, settings.stack, settings.drift_floor)
    _log.warning("drift %.3f over %g: %s", seen.drift, seen.drift_limit, did)
    return {"did": did, "in_a_row": 0} if raised else {"did": did}


def _publish(seen: Watched, stack: str, cloudwatch: CloudWatchClient) -> None:
    figures: list[MetricDatumTypeDef] = [{"MetricName": "Records", "Value": seen.records, "Unit": "Count"}]
    if seen.below_share is not None:
        figures.append({"MetricName": "LowConfidenceShare", "Value": seen.below_share, "Unit": "None"})
    if seen.drift is not None:
        figures.append({"MetricName": "Drift", "Value": seen.drift, "Unit": "None"})
    try:
        cloudwatch.put_metric_data(Namespace=stack, MetricData=figures)
    except (ClientError, BotoCoreError) as error:
        raise AwsError(f"cannot publish the metrics of stack {stack}: {error}") from error


def handler(event: Any, context: Any = None) -> dict[str, Any] | None:  # noqa: ARG001 - Lambda's signature
    """AWS Lambda's entry point; a schedule calls it, whatever the event."""
    from botocore.config import Config
    from botocore.session import Session

    session = Session()
    config = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=20)
    clients = Clients(
        cast("CloudWatchClient", session.create_client("cloudwatch", config=config)),
        cast("CloudFormationClient", session.create_client("cloudformation", config=config)),
    )
    seen = watch_capture(default_runtime(), clients)
    return None if seen is None else seen.model_dump(mode="json")
