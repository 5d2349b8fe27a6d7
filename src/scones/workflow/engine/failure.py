"""How a state fails: an error name that Retry and Catch match on, and a cause for people.

The names and their meaning are those of the AWS Step Functions Developer Guide, "Handling errors in
Step Functions workflows".
"""

from __future__ import annotations

from typing import Final

from scones.errors import WorkflowError

__all__ = [
    "ALL",
    "DATA_LIMIT_EXCEEDED",
    "EXCEED_TOLERATED",
    "HEARTBEAT_TIMEOUT",
    "INTRINSIC_FAILURE",
    "ITEM_READER_FAILED",
    "NO_CHOICE_MATCHED",
    "QUERY_EVALUATION_ERROR",
    "RESERVED",
    "RESULT_PATH_MATCH_FAILURE",
    "RESULT_WRITER_FAILED",
    "RUNTIME",
    "TASK_FAILED",
    "TIMEOUT",
    "StartRefused",
    "StateFailure",
    "TaskTimedOut",
]

ALL: Final = "States.ALL"
DATA_LIMIT_EXCEEDED: Final = "States.DataLimitExceeded"
EXCEED_TOLERATED: Final = "States.ExceedToleratedFailureThreshold"
HEARTBEAT_TIMEOUT: Final = "States.HeartbeatTimeout"
INTRINSIC_FAILURE: Final = "States.IntrinsicFailure"
ITEM_READER_FAILED: Final = "States.ItemReaderFailed"
NO_CHOICE_MATCHED: Final = "States.NoChoiceMatched"
QUERY_EVALUATION_ERROR: Final = "States.QueryEvaluationError"
RESULT_PATH_MATCH_FAILURE: Final = "States.ResultPathMatchFailure"
RESULT_WRITER_FAILED: Final = "States.ResultWriterFailed"
RUNTIME: Final = "States.Runtime"
TASK_FAILED: Final = "States.TaskFailed"
TIMEOUT: Final = "States.Timeout"

RESERVED: Final = frozenset(
    {
        ALL,
        DATA_LIMIT_EXCEEDED,
        INTRINSIC_FAILURE,
        NO_CHOICE_MATCHED,
        QUERY_EVALUATION_ERROR,
        RESULT_PATH_MATCH_FAILURE,
        RUNTIME,
        TASK_FAILED,
        TIMEOUT,
        EXCEED_TOLERATED,
        HEARTBEAT_TIMEOUT,
        ITEM_READER_FAILED,
        RESULT_WRITER_FAILED,
        "States.BranchFailed",
        "States.ParameterPathFailure",
        "States.Http.Socket",
        "States.Permissions",
    }
)
"""The names that AWS reserves under ``States.``; a Retry or Catch on any other such name never matches."""

_ERROR_LIMIT = 256
_CAUSE_LIMIT = 32_768


class StartRefused(WorkflowError):
    """An execution cannot be started.

    Args:
        error: the error of StartExecution: ``StateMachineDoesNotExist``, ``ExecutionAlreadyExists``,
            ``InvalidName`` or ``InvalidExecutionInput``. It begins the message.
        message: what is wrong and what to do.
    """

    def __init__(self, error: str, message: str) -> None:
        super().__init__(f"{error}: {message}")
        self.error = error


class TaskTimedOut(WorkflowError):
    """No Task waits for a token: it has ended or timed out, or there never was one (SendTaskSuccess's TaskTimedOut)."""

    def __init__(self) -> None:
        super().__init__("TaskTimedOut: no task waits for this token: it was answered, has timed out, or never was")


class StateFailure(WorkflowError):
    """A state failed. The engine turns it into a Retry, a Catch or the end of the execution.

    Args:
        error: the error name, cut at 256 characters as AWS does.
        cause: what happened, cut at 32,768 characters.
    """

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error[:_ERROR_LIMIT]
        self.cause = cause[:_CAUSE_LIMIT]
