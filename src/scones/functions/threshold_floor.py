"""Raise the floor of the threshold: by a parameter of the stack, so that the next deployment keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from scones.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

__all__ = ["PARAMETER", "raise_floor"]

PARAMETER: Final = "ThresholdFloor"


def raise_floor(cloudformation: CloudFormationClient, stack: str, floor: float) -> tuple[bool, str]:
    """Set the parameter to ``floor``, unless it is as high already; all else stays as it is.

    It is never lowered: a person does that.

    Args:
        cloudformation: the client.
        stack: its name.
        floor: 0 to 1.

    Returns:
        Whether it was raised, and what was done or why nothing was, in words.

    Raises:
        AwsError: the stack has no such parameter, or CloudFormation refuses.
    """
    try:
        [found] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        values = {one["ParameterKey"]: one.get("ParameterValue", "") for one in found.get("Parameters", [])}
        if PARAMETER not in values:
            raise AwsError(f"stack {stack} has no parameter {PARAMETER}: deploy it anew with this version of Scones")
        if float(values[PARAMETER]) >= floor:
            return False, f"nothing: {PARAMETER} is {values[PARAMETER]} already"
        if found["StackStatus"].endswith("_IN_PROGRESS"):
            return False, f"nothing: the stack is {found['StackStatus']}"
        parameters: list[ParameterTypeDef] = [
            {"ParameterKey": name, "UsePreviousValue": True} for name in sorted(values) if name != PARAMETER
        ]
        cloudformation.update_stack(
            StackName=stack,
            UsePreviousTemplate=True,
            Parameters=[*parameters, {"ParameterKey": PARAMETER, "ParameterValue": f"{floor:g}"}],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
    except (ClientError, BotoCoreError, ValueError) as error:
        raise AwsError(f"cannot raise {PARAMETER} of stack {stack} to {floor:g}: {error}") from error
    return True, f"raised {PARAMETER} from {values[PARAMETER]} to {floor:g}"
