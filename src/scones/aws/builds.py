"""A build of CodeBuild, followed to its end."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from scones.aws.account import Account, explained
from scones.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_codebuild.type_defs import BuildTypeDef

__all__ = ["follow_build"]

_SECONDS: Final = 5.0
"""Between two looks at a build."""
_LOOKS: Final = 100 * 60 // 5
"""An hour and forty minutes of them: longer than a build may wait and run."""
_LINES: Final = 200
"""Of a failed build's log, read to find the cause; the last ones are told."""
_TOLD: Final = 20
_CAUSE: Final = re.compile(r"\berror\b|denied|toomanyrequests|no space left|not found", re.IGNORECASE)
_WRAPPING: Final = ("Command did not exit successfully", "Phase context status code")
"""What lines of CodeBuild itself hold: that a command failed, and not why."""


def follow_build(
    account: Account, build: str, *, report: Callable[[str], None], pause: Callable[[float], None]
) -> AwsError | None:
    """Wait until a build has ended, and tell of its phases.

    Args:
        account: whose build it is.
        build: its id.
        report: called with each phase as it begins, and with the last lines of a failed build's log.
        pause: waits for so many seconds.

    Returns:
        Why it failed; None where it did not.

    Raises:
        AwsError: it takes longer than any build may.
    """
    phase = ""
    for _ in range(_LOOKS):
        with explained(f"look at build {build}"):
            [found] = account.codebuild.batch_get_builds(ids=[build])["builds"]
        now = found.get("currentPhase", "")
        if now not in (phase, "COMPLETED"):
            report(f"build {build}: {now.lower().replace('_', ' ')}")
            phase = now
        if (status := found.get("buildStatus")) == "SUCCEEDED":
            return None
        if status != "IN_PROGRESS":
            return _fault(account, found, report)
        pause(_SECONDS)
    raise AwsError(f"build {build} still runs: the same command follows it further")


def _fault(account: Account, build: BuildTypeDef, report: Callable[[str], None]) -> AwsError:
    lines = _log(account, build)
    for line in lines[-_TOLD:]:
        report(f"  {line}")
    causes = (line for line in lines if _CAUSE.search(line) and not any(one in line for one in _WRAPPING))
    failed = [one for one in build.get("phases", []) if one.get("phaseStatus") not in (None, "SUCCEEDED")]
    phase = failed[0] if failed else {}
    told = "; ".join(context.get("message", "") for context in phase.get("contexts", []))
    where = str(phase.get("phaseType", "")).lower().replace("_", " ")
    cause = next(causes, "") or told or "its log does not say why"
    status = str(build.get("buildStatus", "")).lower().replace("_", " ")
    return AwsError(
        f"build {build.get('id')} {status}{f' in phase {where}' if where else ''}: {cause}: "
        f"correct that and try again; its whole log: {build.get('logs', {}).get('deepLink', 'in CloudWatch')}"
    )


def _log(account: Account, build: BuildTypeDef) -> list[str]:
    """The end of a build's log; empty where there is none: it failed before it could write, or may not be read."""
    place = build.get("logs", {})
    if not (place.get("groupName") and place.get("streamName")):
        return []
    with suppress(AwsError), explained("read the build's log"):
        events = account.logs.get_log_events(
            logGroupName=place["groupName"], logStreamName=place["streamName"], limit=_LINES, startFromHead=False
        )["events"]
        return [line for event in events if (line := event.get("message", "").strip())]
    return []
