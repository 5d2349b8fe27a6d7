"""Every error that Scones raises on purpose, in one tree.

Each message says what went wrong, with which value, and what to do about it. The command line prints
that message as one line and ends with the error's ``exit_code``; ``--debug`` shows the traceback.

::

    SconesError                      1
    ├── SettingsError                3   a setting is unknown or has a bad value
    ├── TaskError                    4   a task file is missing or wrong
    ├── SourceError                 10   pictures cannot be taken from a source
    │   ├── SourceMissing           11   the archive or folder is not there
    │   ├── ArchiveCorrupt          12   the archive is truncated or not what it claims to be
    │   ├── ArchiveUnsafe           13   the archive tries to do what no data set needs
    │   ├── DownloadFailed          14   the address does not answer, or answers something else
    │   └── SourceEmpty             15   there is nothing to learn from in it
    ├── PictureError                20   bytes that are no usable picture
    │   └── PictureTooLarge         21   a picture beyond the limit on bytes or pixels
    ├── StoreError                  30   the object store failed
    │   ├── StoreFull               31   no space left
    │   ├── StoreReadOnly           32   no permission to write
    │   ├── ObjectMissing           33   no object under that key
    │   ├── ObjectExists            34   the key is taken, and was to be created
    │   └── ObjectTooLarge          35   more bytes than the caller can take
    ├── TrainingError               40   a model cannot be trained on this data
    │   └── TrainingStopped         43   it was told to end, and can go on from its checkpoint
    ├── BundleError                 41   a model bundle is missing a part or is damaged
    ├── PromotionRefused            42   production stays as it is: a gate, or someone else, came between
    ├── EndpointError               50   the endpoint could not classify
    │   ├── PortInUse               51   another process listens there
    │   ├── EndpointBusy            52   saturated, slow or not there yet: try again
    │   └── EndpointRejected        53   the endpoint refuses this request for good
    ├── WorkflowError               60   a workflow could not run
    │   ├── DefinitionError         61   a state machine definition is wrong
    │   ├── JournalError            62   the journal cannot be read or written
    │   └── ExecutionMissing        63   no execution of that name
    ├── ThresholdConfidenceNotMet   64   not sure enough: a person decides
    ├── MessageError                65   an event or answer lacks a field or has a wrong one
    ├── DispatchError               70   a depot or its orders are wrong
    ├── MonitorError                75   what the monitor is asked for is not there, or cannot be
    ├── NotificationError           80   a notification did not get through, and may later
    │   └── NotificationRefused     81   a receiver refuses it for good
    └── AwsError                    90   AWS refused, or something there is not as it must be
        ├── AwsAccess               91   no credentials, no region or no permission
        ├── StackFailed             92   a stack could not be made or changed; it is as it was before
        └── LeftBehind              93   something is left in the account that should be gone

The class names of function errors are part of the wire contract: Step Functions matches a ``Retry`` or
``Catch`` on them (``EndpointBusy`` is retried, ``ThresholdConfidenceNotMet`` is caught).
"""

from collections.abc import Sequence
from typing import ClassVar

__all__ = [
    "ArchiveCorrupt",
    "ArchiveUnsafe",
    "AwsAccess",
    "AwsError",
    "BundleError",
    "DefinitionError",
    "DispatchError",
    "DownloadFailed",
    "EndpointBusy",
    "EndpointError",
    "EndpointRejected",
    "ExecutionMissing",
    "JournalError",
    "LeftBehind",
    "MessageError",
    "MonitorError",
    "NotificationError",
    "NotificationRefused",
    "ObjectExists",
    "ObjectMissing",
    "ObjectTooLarge",
    "PictureError",
    "PictureTooLarge",
    "PortInUse",
    "PromotionRefused",
    "SconesError",
    "SettingsError",
    "SourceEmpty",
    "SourceError",
    "SourceMissing",
    "StackFailed",
    "StoreError",
    "StoreFull",
    "StoreReadOnly",
    "TaskError",
    "ThresholdConfidenceNotMet",
    "TrainingError",
    "TrainingStopped",
    "WorkflowError",
]


class SconesError(Exception):
    """The root: catch this to catch everything that Scones raises on purpose."""

    exit_code: ClassVar[int] = 1


class SettingsError(SconesError):
    """A setting is unknown or has a bad value."""

    exit_code = 3


class TaskError(SconesError):
    """A task file is missing or wrong."""

    exit_code = 4


class SourceError(SconesError):
    """Pictures cannot be taken from a source."""

    exit_code = 10


class SourceMissing(SourceError):
    """The archive or folder is not there."""

    exit_code = 11


class ArchiveCorrupt(SourceError):
    """The archive is truncated or not what it claims to be."""

    exit_code = 12


class ArchiveUnsafe(SourceError):
    """The archive tries to do what no data set needs."""

    exit_code = 13


class DownloadFailed(SourceError):
    """The address does not answer, or answers something else."""

    exit_code = 14


class SourceEmpty(SourceError):
    """There is nothing to learn from in it."""

    exit_code = 15


class PictureError(SconesError):
    """Bytes that are no usable picture."""

    exit_code = 20


class PictureTooLarge(PictureError):
    """A picture beyond the limit on bytes or pixels."""

    exit_code = 21


class StoreError(SconesError):
    """The object store failed."""

    exit_code = 30


class StoreFull(StoreError):
    """No space left."""

    exit_code = 31


class StoreReadOnly(StoreError):
    """No permission to write."""

    exit_code = 32


class ObjectMissing(StoreError):
    """No object under that key."""

    exit_code = 33


class ObjectExists(StoreError):
    """The key is taken, and was to be created."""

    exit_code = 34


class ObjectTooLarge(StoreError):
    """More bytes than the caller can take; none were read."""

    exit_code = 35


class TrainingError(SconesError):
    """A model cannot be trained on this data."""

    exit_code = 40


class TrainingStopped(TrainingError):
    """Training was told to end; it can go on from its checkpoint."""

    exit_code = 43


class BundleError(SconesError):
    """A model bundle is missing a part or is damaged."""

    exit_code = 41


class PromotionRefused(SconesError):
    """Production stays as it is: a gate refuses, it changed meanwhile, or there is nothing to go back to."""

    exit_code = 42


class EndpointError(SconesError):
    """The endpoint could not classify."""

    exit_code = 50


class PortInUse(EndpointError):
    """Another process listens there."""

    exit_code = 51


class EndpointBusy(EndpointError):
    """Saturated, slow or not there yet: try again."""

    exit_code = 52


class EndpointRejected(EndpointError):
    """The endpoint refuses this request for good."""

    exit_code = 53


class WorkflowError(SconesError):
    """A workflow could not run."""

    exit_code = 60


class DefinitionError(WorkflowError):
    """A state machine definition is wrong.

    Args:
        message: all of it, for people.
        problems: what is wrong, each as ``place: what``; none where the document cannot be had at all.
    """

    exit_code = 61

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class JournalError(WorkflowError):
    """The journal cannot be read or written."""

    exit_code = 62


class ExecutionMissing(WorkflowError):
    """No execution of that name."""

    exit_code = 63


class ThresholdConfidenceNotMet(SconesError):
    """The model is not sure enough. The text starts ``THRESHOLD_CONFIDENCE_NOT_MET``."""

    exit_code = 64


class MessageError(SconesError):
    """An event or answer lacks a field or has a wrong one."""

    exit_code = 65


class DispatchError(SconesError):
    """A depot or its orders are wrong."""

    exit_code = 70


class MonitorError(SconesError):
    """What the monitor is asked for is not there, or cannot be."""

    exit_code = 75


class NotificationError(SconesError):
    """A notification did not get through, and may later.

    Args:
        message: what went wrong.
        retry_after: seconds that the receiver asks to be left alone, where it does.
    """

    exit_code = 80

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotificationRefused(NotificationError):
    """A receiver refuses a notification for good."""

    exit_code = 81


class AwsError(SconesError):
    """AWS refused, or something there is not as it must be."""

    exit_code = 90


class AwsAccess(AwsError):
    """No credentials, no region or no permission."""

    exit_code = 91


class StackFailed(AwsError):
    """A stack could not be made or changed; it is as it was before."""

    exit_code = 92


class LeftBehind(AwsError):
    """Something is left in the account that should be gone."""

    exit_code = 93
