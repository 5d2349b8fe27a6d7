"""Bring a stance in force on AWS: by parameters of the stack, the least threshold, the candidate and the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from scones.errors import AwsError
from scones.functions.stack_parameters import StackNow, set_parameters
from scones.registry.aliases import newest
from scones.store import Bucket, Layout

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

    from scones.monitoring.watch.records import Standing

__all__ = ["Outcome", "State", "bring_in_force", "changes"]

State: TypeAlias = Literal["in force", "ordered", "waits", "refused"]


@dataclass(frozen=True)
class Outcome:
    """What became of a stance.

    Attributes:
        state: ``in force`` already; the update of the stack is ``ordered``; it ``waits``, as the stack is busy; or it
            is ``refused``, as the stack cannot be so.
        did: in words.
    """

    state: State
    did: str


def changes(standing: Standing, stack: StackNow, home: Bucket, *, lower: bool) -> dict[str, str]:
    """The parameters that a stance wants otherwise than they are, with the values that it wants.

    Production is left alone where somebody put another model there after the stance was taken.

    Args:
        standing: what is wanted.
        stack: as it is.
        home: the application's bucket; its records say what was put in production, and when.
        lower: whether the threshold may become less than it is.

    Raises:
        AwsError: the stack cannot be so.
        StoreError: the store does not answer.
    """
    now = stack.parameters
    task = now.get("Task", "")
    floor = standing.threshold or 0.0
    wanted = {
        "ThresholdFloor": _text(floor if lower else max(floor, _number(now, "ThresholdFloor"))),
        "CandidateKey": _model(task, standing.candidate) if standing.candidate else "",
        "CandidateWeight": _text(_weight(standing, stack) if standing.candidate else 0.0),
    }
    if standing.version is not None and not _changed_since(home, task, standing):
        wanted["ModelKey"] = _model(task, standing.version)
    differing = {name: value for name, value in wanted.items() if not _same(now.get(name, ""), value)}
    if differing.keys() & {"CandidateKey", "CandidateWeight", "ModelKey"}:
        guarded = "true" if _shares(now) == _shares({**now, **wanted}) else "false"
        if now.get("Guardrails") != guarded:
            differing["Guardrails"] = guarded
    return differing


def bring_in_force(
    standing: Standing,
    stack: StackNow,
    cloudformation: CloudFormationClient,
    home: Bucket,
    bucket: Callable[[str], Bucket],
    *,
    lower: bool,
) -> Outcome:
    """Order what a stance wants, if it is not so already. Twice is the same as once.

    Args:
        standing: that is meant, not only said.
        stack: as it is.
        cloudformation: the client.
        home: the application's bucket.
        bucket: opens a bucket by its name: the one of artefacts, where a model must lie before it can answer.
        lower: whether the threshold may become less than it is.

    Raises:
        AwsError: CloudFormation refuses, or the stack is too old for it.
        StoreError: the store does not answer.
        ObjectMissing: a model lies nowhere.
    """
    if stack.busy:
        return Outcome("waits", f"stance {standing.stance} waits: stack {stack.name} is {stack.status}")
    try:
        wanted = changes(standing, stack, home, lower=lower)
    except AwsError as error:
        return Outcome("refused", str(error))
    if not wanted:
        return Outcome("in force", f"stance {standing.stance} is in force")
    for name in ("CandidateKey", "ModelKey"):
        if key := wanted.get(name):
            _bring(key, home, bucket(stack.parameters["ArtefactBucket"]))
    did = set_parameters(cloudformation, stack, wanted)
    return Outcome("ordered", f"stance {standing.stance}: {did}")


def _weight(standing: Standing, stack: StackNow) -> float:
    """The candidate's weight, where production's is 1."""
    if stack.parameters.get("Inference") == "serverless":
        raise AwsError(
            f"stack {stack.name} is serverless, and SageMaker has neither a shadow nor a second variant there: deploy "
            f"with --set Inference=real-time, or take a stance without candidate {standing.candidate}"
        )
    if standing.weight == 1:
        raise AwsError(
            f"candidate {standing.candidate} is to answer every picture: that is no canary; `scones promote "
            f"{standing.candidate}`, then `scones aws deploy`"
        )
    return standing.weight / (1 - standing.weight)


def _changed_since(home: Bucket, task: str, standing: Standing) -> bool:
    """Whether another model was put in production after a stance was taken."""
    record = newest(home, task)
    policy = record.policy if record else None
    if policy is None or policy.version == standing.version:
        return False
    return datetime.fromisoformat(policy.at) >= standing.at.replace(microsecond=0)  # a policy's time has no fractions


def _bring(key: str, home: Bucket, artefacts: Bucket) -> None:
    """Copy a model to where the endpoint reads it, if it is not there."""
    if not artefacts.exists(key):
        artefacts.put(key, home.get(key))


def _model(task: str, version: str) -> str:
    return f"{Layout.model(task, version)}/model.tar.gz"


def _shares(parameters: Mapping[str, str]) -> bool:
    """Whether the candidate is a production variant."""
    return bool(parameters.get("CandidateKey")) and _number(parameters, "CandidateWeight") > 0


def _text(number: float) -> str:
    return f"{number:.9g}"


def _number(parameters: Mapping[str, str], name: str) -> float:
    try:
        return float(parameters.get(name, "0"))
    except ValueError:
        raise AwsError(f"parameter {name} is {parameters[name]!r}: deploy with a number") from None


def _same(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return one == other
