"""What would become of a stack, resource by resource and parameter by parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Change", "ChangeSet", "ParameterChange"]


@dataclass(frozen=True)
class Change:
    """What becomes of one resource.

    Attributes:
        action: Add, Modify, Remove, Import or Dynamic.
        logical_id: its name in the template.
        type: as ``AWS::S3::Bucket``.
        physical_id: what it is called now; empty for a new one.
        replacement: whether a change of it makes a new one: True, False or Conditional; empty where none is changed.
        keeps: what leaves the stack stays in the account.
    """

    action: str
    logical_id: str
    type: str
    physical_id: str = ""
    replacement: str = ""
    keeps: bool = False

    @property
    def words(self) -> str:
        """What happens, in words.

        Example:
            >>> Change("Modify", "Model", "AWS::SageMaker::Model", replacement="True").words
            'replaced by a new one'
        """
        if self.action == "Remove":
            return "left out of the stack, and kept" if self.keeps else "removed"
        if self.action == "Modify":
            how = {"True": "replaced by a new one", "Conditional": "changed, or replaced by a new one"}
            kept = ", the old one is kept" if self.keeps else ""
            return f"{how[self.replacement]}{kept}" if self.replacement in how else "changed in place"
        return {"Add": "made", "Import": "there already: taken in"}.get(self.action, "decided when it is done")


@dataclass(frozen=True)
class ParameterChange:
    """A parameter that gets another value.

    Attributes:
        name: of the parameter.
        old: its value now; None: the stack has none.
        new: its value then.
    """

    name: str
    old: str | None
    new: str


@dataclass(frozen=True)
class ChangeSet:
    """What a template with its parameters would change in a stack.

    Attributes:
        id: its ARN; empty where there is nothing to change.
        stack: the stack's name.
        stack_id: the stack's ARN.
        creates: the stack is not there yet.
        parameters: the values that would be in force, by name.
        parameter_changes: those that differ from now.
        changes: what becomes of each resource.
    """

    id: str
    stack: str
    stack_id: str
    creates: bool
    parameters: Mapping[str, str]
    parameter_changes: tuple[ParameterChange, ...]
    changes: tuple[Change, ...] = ()

    @property
    def empty(self) -> bool:
        """There is nothing to change."""
        return not self.id
