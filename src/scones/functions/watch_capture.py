"""The scheduled monitor: see what was captured since it last looked, publish figures, and act where it may.

It acts by taking a stance, as a person or a monitor elsewhere does. Whoever took it, it brings the newest in force by
parameters of the stack alone, so that the next deployment does not undo it.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from scones.contracts import parse
from scones.errors import AwsError, ObjectExists, SconesError
from scones.functions.capture_window import next_window
from scones.functions.runtime import Runtime, default_runtime
from scones.functions.stack_parameters import read_stack
from scones.functions.stack_stance import bring_in_force, changes
from scones.functions.watched import Watched, look
from scones.monitoring.watch.records import Stance, Standing
from scones.monitoring.watch.standings import in_force, newest_standing, stand
from scones.store import Layout

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

__all__ = ["handler", "watch_capture"]

_WHO: Final = "scheduled monitor"
_log = logging.getLogger(__name__)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def watch_capture(
    runtime: Runtime, cloudformation: CloudFormationClient, say: Callable[[str], None] = _say
) -> Watched | None:
    """Look once, act where that is allowed, publish the figures, and write down what was seen, decided and done.

    Args:
        runtime: settings, clock and the buckets.
        cloudformation: the client.
        say: takes a line of log; CloudWatch makes metrics of it.

    Returns:
        The record; None where no full hour has passed since the last one, or another run was first.

    Raises:
        StoreError: the store does not answer.
        MessageError: the last record, or the newest stance, is damaged.
        AwsError: a stance could not be brought in force, which the record tells.
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
    seen = seen.model_copy(update=_decide(seen, runtime, number + 1))
    fault: SconesError | None = None
    if runtime.settings.monitor_acts:
        update, fault = _act(seen, runtime, cloudformation)
        seen = seen.model_copy(update=update)
    say(_figures(seen, runtime.settings.stack))
    try:
        # last, and not first: what is repeated after a failure is better than what nobody ever told
        runtime.home.append(series, seen.model_dump(mode="json"), after=number)
    except ObjectExists:
        _log.warning("another run of the monitor was first, and wrote the record")
        return None
    if fault is not None:
        raise fault
    return seen


def _decide(seen: Watched, runtime: Runtime, number: int) -> dict[str, Any]:
    """Take the stance that was decided on; what that changes in the record. After it was taken, the row begins anew."""
    settings = runtime.settings
    if seen.decision != "raise":
        return {"did": "nothing"}
    if seen.threshold_floor >= settings.drift_floor:
        return {"did": f"nothing: the floor is {seen.threshold_floor:g} already"}
    meant = in_force(runtime.home, settings.endpoint)
    if meant is not None and meant.held:
        return {"did": f"nothing: {meant.who} holds the stance {meant.stance} ({meant.why})"}
    after, newest = newest_standing(runtime.home, settings.endpoint)
    cautious = Standing(
        stance=Stance.CAUTIOUS if meant is None or meant.stance is Stance.OBSERVING else meant.stance,
        version=meant.version if meant else None,
        threshold=max(settings.drift_floor, (meant and meant.threshold) or 0.0),
        candidate=meant.candidate if meant else None,
        weight=meant.weight if meant else 0.0,
        dry_run=not settings.monitor_acts,
        who=_WHO,
        why=f"the labels drifted by {seen.drift:.3f}, over {seen.drift_limit:g}, in {seen.in_a_row} runs in a row",
        at=seen.at,
        look=number,
    )
    only_said = f"nothing: it only watches; it would raise the floor to {cautious.threshold:g}"
    if (
        newest is not None
        and newest.dry_run
        and (newest.stance, newest.threshold) == (cautious.stance, cautious.threshold)
    ):
        return {"did": only_said, "in_a_row": 0}  # it was said already
    try:
        stand(runtime.home, settings.endpoint, cautious, after)
    except ObjectExists as error:
        return {"did": f"nothing: {error}"}
    _log.warning("drift %.3f over %g: stance %s", seen.drift, seen.drift_limit, cautious.stance)
    return {"did": only_said if cautious.dry_run else f"took the stance {cautious.stance}", "in_a_row": 0}


def _act(
    seen: Watched, runtime: Runtime, cloudformation: CloudFormationClient
) -> tuple[dict[str, Any], SconesError | None]:
    """Bring the newest stance in force, and only once: what people deploy after it stands.

    Returns:
        What that changes in the record, and what went wrong. A fault of AWS's or of the store's is tried again by the
        next run; an update that AWS took back is not.
    """
    standing = in_force(runtime.home, runtime.settings.endpoint)
    if standing is None or standing.at == seen.settled:
        return {}, None
    lower = standing.look is None  # to lower the threshold is a person's
    try:
        stack = read_stack(cloudformation, runtime.settings.stack)
        if standing.at == seen.ordered and not stack.busy and changes(standing, stack, runtime.home, lower=lower):
            text = (
                f"stack {stack.name} did not take the stance {standing.stance}, it is {stack.status}: see why in its "
                "events, and bring it in force with `scones aws stance --apply`"
            )
            return {"settled": standing.at, "did": f"{seen.did}; failed: {text}"}, AwsError(text)
        outcome = bring_in_force(standing, stack, cloudformation, runtime.home, runtime.bucket, lower=lower)
    except SconesError as error:
        return {"did": f"{seen.did}; failed: {error}"}, error
    _log.warning("%s", outcome.did)
    update: dict[str, Any] = {"did": f"{seen.did}; {outcome.did}"}
    if outcome.state == "ordered":
        update["ordered"] = standing.at
    elif outcome.state == "in force":
        update["settled"] = standing.at
    return update, None


def _figures(seen: Watched, stack: str) -> str:
    """The figures as a line of log from which CloudWatch makes metrics ("Specification: Embedded metric format")."""
    figures = {
        "Records": (seen.records, "Count"),
        "LowConfidenceShare": (seen.below_share, "None"),
        "Drift": (seen.drift, "None"),
    }
    known = {name: (value, unit) for name, (value, unit) in figures.items() if value is not None}
    directive = {
        "Namespace": stack,
        "Dimensions": [[]],
        "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in known.items()],
    }
    return json.dumps({
        "_aws": {"Timestamp": int(seen.at.timestamp() * 1000), "CloudWatchMetrics": [directive]},
        **{name: value for name, (value, _) in known.items()},
        "did": seen.did,
    })  # fmt: skip


def handler(event: Any, context: Any = None) -> dict[str, Any] | None:  # noqa: ARG001 - Lambda's signature
    """AWS Lambda's entry point; a schedule calls it, whatever the event."""
    from botocore.config import Config
    from botocore.session import Session

    config = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=20)
    cloudformation = cast("CloudFormationClient", Session().create_client("cloudformation", config=config))
    seen = watch_capture(default_runtime(), cloudformation)
    return None if seen is None else seen.model_dump(mode="json")
