"""Set parameters of the stack, so that the next deployment keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from scones.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

__all__ = ["StackNow", "read_stack", "set_parameters"]


@dataclass(frozen=True)
class StackNow:
    """A stack as it is: its name, its status as ``UPDATE_COMPLETE``, and the values of its parameters."""

    name: str
    status: str
    parameters: Mapping[str, str]

    @property
    def busy(self) -> bool:
        """CloudFormation is at work on it."""
        return self.status.endswith("_IN_PROGRESS")


def read_stack(cloudformation: CloudFormationClient, name: str) -> StackNow:
    """Look at a stack.

    Raises:
        AwsError: there is none, or CloudFormation does not say.
    """
    try:
        [found] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except (ClientError, BotoCoreError) as error:
        raise AwsError(f"cannot look at stack {name}: {error}") from error
    values = {one["ParameterKey"]: one.get("ParameterValue", "") for one in found.get("Parameters", [])}
    return StackNow(name, found["StackStatus"], values)


def set_parameters(cloudformation: CloudFormationClient, stack: StackNow, wanted: Mapping[str, str]) -> str:
    """Order an update of a stack with some parameters; all else stays as it is. It is not waited for.

    Args:
        cloudformation: the client.
        stack: as it is.
        wanted: values of parameters.

    Returns:
        What changes, in words.

    Raises:
        AwsError: the stack has no such parameter, or CloudFormation refuses.
    """
    if lacking := sorted(wanted.keys() - stack.parameters.keys()):
        raise AwsError(
            f"stack {stack.name} has no parameter {', '.join(lacking)}: deploy it anew with this version of Scones"
        )
    kept: list[ParameterTypeDef] = [
        {"ParameterKey": name, "UsePreviousValue": True} for name in sorted(stack.parameters.keys() - wanted.keys())
    ]
    given: list[ParameterTypeDef] = [{"ParameterKey": name, "ParameterValue": value} for name, value in wanted.items()]
    changes = ", ".join(
        f"{name} from {stack.parameters[name] or 'none'} to {value or 'none'}" for name, value in wanted.items()
    )
    try:
        cloudformation.update_stack(
            StackName=stack.name,
            UsePreviousTemplate=True,
            Parameters=[*kept, *given],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
    except (ClientError, BotoCoreError) as error:
        raise AwsError(f"cannot set {changes} of stack {stack.name}: {error}") from error
    return changes
