"""How an arrival's execution ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scones.workflow.engine import ExecutionDetail, Status

__all__ = ["Ended"]


@dataclass(frozen=True, slots=True)
class Ended:
    """An execution of an arrival that has ended.

    Attributes:
        name: its name.
        key: where the picture lies; empty where an earlier process began it.
        status: not RUNNING.
        error, cause: of one that did not succeed.
        at: when.
    """

    name: str
    key: str
    status: Status
    error: str
    cause: str
    at: datetime

    @classmethod
    def of(cls, execution: ExecutionDetail) -> Ended:
        """What the journal tells."""
        given = execution.input if isinstance(execution.input, dict) else {}
        return cls(
            execution.name,
            str(given.get("s3_key", "")),
            execution.status,
            execution.error or "",
            execution.cause or "",
            execution.stopped or execution.started,
        )
