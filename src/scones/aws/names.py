"""What everything is called: each name follows from the stack's."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TAG", "Names"]

TAG = "scones:stack"
"""The tag on everything that belongs to a stack; its value is the stack's name."""


@dataclass(frozen=True)
class Names:
    """The names of a stack's parts; the templates derive the same.

    Attributes:
        stack: of the application, at most 25 characters.
        account: twelve digits.
        region: as ``eu-west-1``.

    Example:
        >>> Names("scones", "123456789012", "eu-west-1").bucket
        'scones-123456789012-eu-west-1'
    """

    stack: str
    account: str
    region: str

    @property
    def bootstrap(self) -> str:
        """The stack that must be there first."""
        return f"{self.stack}-bootstrap"

    @property
    def bucket(self) -> str:
        """The application's bucket: pictures, records, capture."""
        return f"{self.stack}-{self.account}-{self.region}"

    @property
    def artefacts(self) -> str:
        """The bucket of packages, definitions, models and datasets."""
        return f"{self.stack}-artefacts-{self.account}-{self.region}"

    @property
    def repository(self) -> str:
        """The container's repository."""
        return f"{self.stack}-container"

    @property
    def build(self) -> str:
        """The CodeBuild project that builds the container."""
        return f"{self.stack}-container"

    @property
    def endpoints(self) -> tuple[str, str]:
        """The endpoint's name, real-time or serverless: it is one of the two."""
        return self.stack, f"{self.stack}-serverless"

    @property
    def topic(self) -> str:
        """The topic that failures, reviews and alarms are told through."""
        return f"{self.stack}-notifications"

    @property
    def training_role(self) -> str:
        """What a training job may do."""
        return f"{self.stack}-training-{self.region}"

    def function(self, name: str) -> str:
        """A function, by its Python name: ``serialize_image`` is ``{stack}-serialize-image``."""
        return f"{self.stack}-{name.replace('_', '-')}"

    def machine(self, name: str) -> str:
        """A state machine, by the name of its file; ``classify`` as Standard has ``-standard`` at its end."""
        return f"{self.stack}-{name}"

    def machine_arn(self, name: str) -> str:
        """The ARN of a state machine."""
        return f"arn:{self.partition}:states:{self.region}:{self.account}:stateMachine:{self.machine(name)}"

    @property
    def partition(self) -> str:
        """The part of AWS that the region is in."""
        return (
            "aws-cn" if self.region.startswith("cn-") else "aws-us-gov" if self.region.startswith("us-gov-") else "aws"
        )
