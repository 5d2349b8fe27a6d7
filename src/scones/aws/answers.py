"""A person's answer on AWS: written to the bucket, as everywhere, and handed to Step Functions, which waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from scones.aws.account import error_code, explained
from scones.contracts import PersonsAnswer, Review
from scones.errors import AwsError, ObjectExists
from scones.store import Bucket, Layout
from scones.workflow.reviews import answer_review, first_answer, too_late

if TYPE_CHECKING:
    from scones.aws.account import Account

__all__ = ["answer_on_aws"]

_CLOSED = {"TaskTimedOut", "TaskDoesNotExist"}


def answer_on_aws(
    account: Account,
    bucket: Bucket,
    review: Review,
    label: str,
    *,
    labels: Sequence[str],
    by: str,
    now: datetime,
) -> PersonsAnswer:
    """Answer a review that Step Functions runs.

    The first answer stands, and is what is handed on: also by whoever comes second, should the first one's process
    have ended between the two steps.

    Args:
        account: where it runs.
        bucket, review, label, labels, by, now: as for :func:`scones.workflow.reviews.answer_review`.

    Raises:
        MessageError: the label is none of the task's.
        ObjectExists: somebody answered before; that answer stands.
        WorkflowError: it is too late: the safe default has taken the place of an answer.
        AwsAccess, AwsError: Step Functions does not take it; the same answer again tries that again.
    """
    before: ObjectExists | None = None
    try:
        answer = answer_review(bucket, review, label, labels=labels, by=by, now=now)
    except ObjectExists as error:
        answer, before = first_answer(bucket, review), error
    if not _hand_on(account, review, answer):
        taken = bucket.exists(Layout.example(review.path)) or now < review.deadline
        raise before if before is not None and taken else too_late(review)
    if before is not None and (answer.label, answer.by) != (label, by):
        raise before
    return answer


def _hand_on(account: Account, review: Review, answer: PersonsAnswer) -> bool:
    """Hand an answer on; False where nothing waits for it: it was handed on before, or its time is over."""
    with explained(f"hand the answer to {review.path} to Step Functions"):
        try:
            account.stepfunctions.send_task_success(taskToken=review.task_token, output=answer.model_dump_json())
        except ClientError as error:
            if error_code(error) in _CLOSED:
                return False
            if error_code(error) == "InvalidToken":
                raise AwsError(
                    f"Step Functions in {account.region} knows no task that asked about {review.path}: is that the "
                    "stack's region? Set AWS_REGION"
                ) from error
            raise
    return True
