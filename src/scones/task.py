"""A task: which labels there are, when to decide, and where its pictures come from. Data, not code."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from scones.contracts import first_fault
from scones.errors import TaskError

__all__ = ["DecisionPolicy", "Task", "load_task", "task_names"]

_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class DecisionPolicy(BaseModel):
    """When the model may decide alone.

    Attributes:
        target_risk: the largest share of wrong answers among accepted pictures, 0 to 1.
        confidence: how sure we want to be that the target holds, 0 to 1.
        default_threshold: the least confidence of an accepted picture while there are too few
            calibration pictures to fit a threshold to the target.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target_risk: float = Field(gt=0, lt=1)
    confidence: float = Field(0.95, gt=0, lt=1)
    default_threshold: float = Field(0.9, ge=0, le=1)


class Task(BaseModel):
    """A question that pictures answer. Written as a TOML file (``scones/tasks/*.toml``, or your own).

    Attributes:
        name: lower case letters, digits, ``-`` and ``_``; part of keys.
        title: a few words for people.
        labels: the answers; their order is the order of the model's outputs.
        policy: when the model may decide alone.
        classes: for sources with classes of their own (``cifar100``), which of them make up each label;
            a label that is missing here takes the class of its own name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: _Name
    title: str
    labels: tuple[_Name, ...] = Field(min_length=2)
    policy: DecisionPolicy
    classes: dict[str, tuple[str, ...]] = {}

    @model_validator(mode="after")
    def _check_labels(self) -> Task:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("a label stands there twice")
        if unknown := set(self.classes) - set(self.labels):
            raise ValueError(f"classes names {', '.join(sorted(unknown))}, which is no label")
        return self

    def source_classes(self, label: str) -> tuple[str, ...]:
        """The classes of a source that make up a label."""
        return self.classes.get(label, (label,))


def task_names() -> list[str]:
    """The tasks that come with Scones."""
    folder = resources.files("scones") / "tasks"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_task(name: str) -> Task:
    """Load a task by name, or from a TOML file.

    Raises:
        TaskError: there is no such task, or its file is wrong.

    Example:
        >>> load_task("vehicles").labels
        ('bicycle', 'motorcycle')
    """
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise TaskError(f"no task file {name}: give the path of a TOML file, or one of {', '.join(task_names())}")
        return _parse(path.read_bytes(), name)
    if name not in task_names():
        raise TaskError(f"unknown task {name!r}: use one of {', '.join(task_names())}, or the path of a TOML file")
    return _parse((resources.files("scones") / "tasks" / f"{name}.toml").read_bytes(), f"{name}.toml")


def _parse(data: bytes, origin: str) -> Task:
    try:
        return Task.model_validate(tomllib.loads(data.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TaskError(f"{origin} is no TOML ({error}): correct it") from error
    except ValidationError as error:
        raise TaskError(f"{origin}: {first_fault(error)}: correct it") from error
