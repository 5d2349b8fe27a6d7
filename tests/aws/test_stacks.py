"""Stacks and change sets on moto's server; what moto cannot play is stubbed on the real client."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from scones.aws.account import Account
from scones.aws.change_sets import discard, execute, make_change_set
from scones.aws.changes import Change, ChangeSet, ParameterChange
from scones.aws.stack_events import StackEvent, first_cause
from scones.aws.stacks import delete_stack, describe
from scones.errors import AwsError, LeftBehind, StackFailed
from tests.aws import moto_gaps

TEMPLATE = """
Parameters:
  Days: {Type: Number, Default: 30}
  Colour: {Type: String}
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Sub "scones-${Colour}"}}
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "scones-${Days}"}}
Outputs:
  Where: {Value: !Ref Topic, Description: What tells of it}
"""
TAKEN = TEMPLATE.replace("Outputs:", "  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: taken}}\nOutputs:")
ARN = "arn:aws:cloudformation:eu-west-1:123456789012:stack/scones/1"
CHANGES = "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/scones-1/1"
THEN = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _as_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    moto_gaps.change_sets(monkeypatch)
    moto_gaps.rollback(monkeypatch)


class Heard:
    """All that was told, and the pauses that were asked for."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.events: list[StackEvent] = []
        self.pauses: list[float] = []

    @property
    def statuses(self) -> list[str]:
        return [f"{event.logical_id} {event.status}" for event in self.events]

    @property
    def following(self) -> dict[str, Any]:
        return {"report": self.events.append, "pause": self.pauses.append}


@pytest.fixture
def heard() -> Heard:
    return Heard()


def make(account: Account, heard: Heard, template: str = TEMPLATE, *, clear: bool = False, **given: str) -> ChangeSet:
    tags = {"scones:stack": "scones"}
    return make_change_set(
        account, "scones", template, given, tags, clear=clear, say=heard.said.append, **heard.following
    )


def test_a_change_set_of_a_new_stack_says_what_would_be_made(account: Account, heard: Heard) -> None:
    made = make(account, heard, Colour="red")
    assert made.creates
    assert [(one.logical_id, one.type, one.words) for one in made.changes] == [
        ("Topic", "AWS::SNS::Topic", "made"),
        ("Queue", "AWS::SQS::Queue", "made"),
    ]
    assert made.parameters == {"Days": "30", "Colour": "red"}
    assert set(made.parameter_changes) == {ParameterChange("Days", None, "30"), ParameterChange("Colour", None, "red")}


def test_a_change_set_that_is_thrown_away_leaves_no_stack(account: Account, heard: Heard) -> None:
    discard(account, make(account, heard, Colour="red"), heard.pauses.append)
    assert describe(account, "scones") is None
    assert account.cloudformation.list_change_sets(StackName="scones")["Summaries"] == []


def test_throwing_a_change_set_away_leaves_the_plan_of_somebody_else_alone(account: Account, heard: Heard) -> None:
    theirs = make(account, heard, Colour="red")
    discard(account, make(account, heard, Colour="blue"), heard.pauses.append)
    assert execute(account, theirs, **heard.following).status == "CREATE_COMPLETE"


def test_throwing_it_away_twice_is_no_error(account: Account, heard: Heard) -> None:
    made = make(account, heard, Colour="red")
    with Stubber(account.cloudformation) as stub:
        stub.add_client_error("delete_change_set", "ChangeSetNotFound", f"ChangeSet [{made.id}] does not exist")
        stub.add_client_error("describe_stacks", "ValidationError", f"Stack with id {made.stack_id} does not exist")
        discard(account, made, heard.pauses.append)


def test_each_event_is_told_once_and_in_order_and_the_stack_has_its_outputs(account: Account, heard: Heard) -> None:
    stack = execute(account, make(account, heard, Colour="red"), **heard.following)
    assert heard.statuses == ["scones CREATE_IN_PROGRESS", "scones CREATE_COMPLETE"]
    assert stack.outputs == {"Where": "arn:aws:sns:eu-west-1:123456789012:scones-red"}
    assert stack.descriptions == {"Where": "What tells of it"}
    execute(account, make(account, heard, Days="31"), **heard.following)
    assert heard.statuses[2:] == ["scones UPDATE_IN_PROGRESS", "scones UPDATE_COMPLETE"]


def test_a_value_that_was_given_once_stays_until_another_is_given(account: Account, heard: Heard) -> None:
    execute(account, make(account, heard, Colour="red", Days="31"), **heard.following)
    changed = make(account, heard, TEMPLATE.replace("scones-$", "scone-$"))
    assert changed.parameters == {"Days": "31", "Colour": "red"}
    assert changed.parameter_changes == ()
    again = make(account, heard, Days="32")
    assert again.parameter_changes == (ParameterChange("Days", "31", "32"),)


def test_where_nothing_changes_the_change_set_is_empty_and_gone_again(account: Account, heard: Heard) -> None:
    execute(account, make(account, heard, Colour="red"), **heard.following)
    before = account.cloudformation.list_change_sets(StackName="scones")["Summaries"]
    assert make(account, heard, Colour="red").empty
    assert account.cloudformation.list_change_sets(StackName="scones")["Summaries"] == before


def test_a_parameter_that_is_unknown_or_lacks_is_named(account: Account, heard: Heard) -> None:
    with pytest.raises(AwsError, match="no parameter Color: it has Colour, Days"):
        make(account, heard, Color="red")
    with pytest.raises(AwsError, match="no value for Colour: give one with --set"):
        make(account, heard)
    assert describe(account, "scones") is None


def test_a_stack_that_cannot_be_made_leaves_nothing_and_the_first_cause_is_told(account: Account, heard: Heard) -> None:
    account.s3.create_bucket(Bucket="taken", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with pytest.raises(StackFailed, match=r"could not be made: Bucket \(AWS::S3::Bucket\).*BucketAlready") as failed:
        execute(account, make(account, heard, TAKEN, Colour="red"), **heard.following)
    assert str(failed.value).endswith("nothing of it is left")
    assert describe(account, "scones") is None
    assert account.sns.list_topics()["Topics"] == []
    assert execute(account, make(account, heard, Colour="red"), **heard.following).status == "CREATE_COMPLETE"


def test_a_stack_that_cannot_be_changed_is_as_it_was_before(account: Account, heard: Heard) -> None:
    execute(account, make(account, heard, Colour="red"), **heard.following)
    account.s3.create_bucket(Bucket="taken", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with pytest.raises(StackFailed, match=r"could not be changed: Bucket.* it is as it was before"):
        execute(account, make(account, heard, TAKEN, Days="31"), **heard.following)
    stack = describe(account, "scones")
    assert stack is not None
    assert (stack.status, stack.parameters["Days"]) == ("UPDATE_ROLLBACK_COMPLETE", "30")
    assert not make(account, heard, Days="31").empty


def test_a_deployment_that_was_killed_is_cleared_away_by_the_next(account: Account, heard: Heard) -> None:
    make(account, heard, Colour="red")  # and killed
    execute(account, make(account, heard, clear=True, Colour="blue"), **heard.following)
    assert heard.said == ["stack scones is in REVIEW_IN_PROGRESS: what an earlier attempt left is taken away first"]
    killed = make(account, heard, Days="31")
    next_one = make(account, heard, clear=True, Days="32")
    left = account.cloudformation.list_change_sets(StackName=next_one.stack_id)["Summaries"]
    assert killed.id not in {one["ChangeSetId"] for one in left}
    assert {one["ExecutionStatus"] for one in left} == {"AVAILABLE", "EXECUTE_COMPLETE"}, "the history stays"


def test_a_stack_is_deleted_with_its_events_told_and_a_second_time_is_no_error(account: Account, heard: Heard) -> None:
    execute(account, make(account, heard, Colour="red"), **heard.following)
    heard.events.clear()
    for _ in range(2):
        delete_stack(account, "scones", **heard.following)
    assert heard.statuses == ["scones DELETE_IN_PROGRESS", "scones DELETE_COMPLETE"]
    assert account.sns.list_topics()["Topics"] == []


# ---- what moto cannot play


def event(number: int, logical_id: str, status: str, reason: str = "", kind: str = "AWS::SNS::Topic") -> dict[str, Any]:
    own = logical_id == "scones"
    return {
        "StackId": ARN,
        "EventId": f"{number:03d}",
        "StackName": "scones",
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": ARN if own else logical_id.lower(),
        "ResourceType": "AWS::CloudFormation::Stack" if own else kind,
        "Timestamp": THEN + timedelta(seconds=number),
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


class Scripted:
    """CloudFormation's answers, one after the other, checked against botocore's models."""

    def __init__(self, stub: Stubber) -> None:
        self.stub = stub

    def stack(self, status: str, **more: Any) -> None:
        found = {"StackName": "scones", "StackId": ARN, "StackStatus": status, "CreationTime": THEN, **more}
        self.stub.add_response("describe_stacks", {"Stacks": [found]}, {"StackName": ANY})

    def events(self, *events: dict[str, Any], token: str | None = None) -> None:
        """A page of events, given in the order in which they happened."""
        page: dict[str, Any] = {"StackEvents": list(events)[::-1]}
        self.stub.add_response("describe_stack_events", page | ({"NextToken": token} if token else {}))

    def nothing(self, operation: str, **expected: Any) -> None:
        self.stub.add_response(operation, {}, expected or None)


@pytest.fixture
def script(account: Account) -> Iterator[Scripted]:
    with Stubber(account.cloudformation) as stub:
        yield Scripted(stub)
        stub.assert_no_pending_responses()


def a_change_set(*, creates: bool) -> ChangeSet:
    return ChangeSet(CHANGES, "scones", ARN, creates, {}, ())


def test_the_first_real_cause_is_told_and_not_what_was_cancelled_for_it(
    account: Account, script: Scripted, heard: Heard
) -> None:
    nested = "Embedded stack arn:aws:…:stack/scones-Inner/2 was not successfully created: [Queue]: limit is 3"
    script.events(event(1, "scones", "REVIEW_IN_PROGRESS"))
    script.nothing("execute_change_set", ChangeSetName=CHANGES, StackName=ARN)
    script.events(event(1, "scones", "REVIEW_IN_PROGRESS"))  # AWS shows none of it yet
    script.stack("REVIEW_IN_PROGRESS")
    script.events(
        event(1, "scones", "REVIEW_IN_PROGRESS"),
        event(2, "scones", "CREATE_IN_PROGRESS"),
        event(3, "Topic", "CREATE_IN_PROGRESS"),
    )
    script.stack("CREATE_IN_PROGRESS")
    script.events(
        event(4, "Queue", "CREATE_FAILED", "Resource creation cancelled", "AWS::SQS::Queue"),
        event(5, "Inner", "CREATE_FAILED", nested, "AWS::CloudFormation::Stack"),
        event(6, "scones", "CREATE_FAILED", "The following resource(s) failed to create: [Inner, Queue]."),
        token="2",
    )
    script.events(event(2, "scones", "CREATE_IN_PROGRESS"), event(3, "Topic", "CREATE_IN_PROGRESS"))
    script.stack("DELETE_IN_PROGRESS")
    script.events(event(7, "Topic", "DELETE_COMPLETE"), event(8, "scones", "DELETE_COMPLETE"), event(6, "", ""))
    script.stack("DELETE_COMPLETE")
    script.events(event(8, "scones", "DELETE_COMPLETE"))
    with pytest.raises(StackFailed) as failed:
        execute(account, a_change_set(creates=True), **heard.following)
    assert str(failed.value) == (
        f"stack scones could not be made: Inner (AWS::CloudFormation::Stack) is CREATE_FAILED: {nested}; "
        "nothing of it is left"
    )


def test_a_new_stack_that_was_only_rolled_back_is_deleted_too(account: Account, script: Scripted, heard: Heard) -> None:
    script.events()
    script.nothing("execute_change_set")
    failure = event(1, "Topic", "CREATE_FAILED", "no")
    script.events(failure, event(2, "scones", "ROLLBACK_COMPLETE"))
    script.stack("ROLLBACK_COMPLETE")
    script.events(event(2, "scones", "ROLLBACK_COMPLETE"))
    script.stack("ROLLBACK_COMPLETE")
    script.events(event(2, "scones", "ROLLBACK_COMPLETE"))
    script.nothing("delete_stack", StackName=ARN)
    script.events(event(2, "scones", "ROLLBACK_COMPLETE"), event(3, "scones", "DELETE_COMPLETE"))
    script.stack("DELETE_COMPLETE")
    script.events()
    with pytest.raises(StackFailed, match="is CREATE_FAILED: no; nothing of it is left"):
        execute(account, a_change_set(creates=True), **heard.following)


def test_what_cannot_be_deleted_after_a_failure_is_told_with_both_causes(
    account: Account, script: Scripted, heard: Heard
) -> None:
    script.events()
    script.nothing("execute_change_set")
    script.events(event(1, "Topic", "CREATE_FAILED", "no"), event(2, "scones", "DELETE_FAILED", "[Bucket]"))
    script.stack("DELETE_FAILED")
    script.events(event(2, "scones", "DELETE_FAILED"))
    script.stack("DELETE_FAILED")
    script.events(event(2, "scones", "DELETE_FAILED"))
    script.nothing("delete_stack", StackName=ARN)
    refused = event(3, "Bucket", "DELETE_FAILED", "not empty", "AWS::S3::Bucket")
    script.events(event(2, "scones", "DELETE_FAILED"), refused, event(4, "scones", "DELETE_FAILED"))
    script.stack("DELETE_FAILED")
    script.events(event(4, "scones", "DELETE_FAILED"))
    with pytest.raises(
        StackFailed, match=r"CREATE_FAILED: no; it is not all gone: .*Bucket .* DELETE_FAILED: not empty"
    ):
        execute(account, a_change_set(creates=True), **heard.following)


def test_a_stack_that_goes_without_an_event_is_gone(account: Account, script: Scripted, heard: Heard) -> None:
    script.stack("REVIEW_IN_PROGRESS")
    script.events()
    script.nothing("delete_stack", StackName=ARN)
    script.events()
    script.stack("DELETE_COMPLETE")
    script.events()
    delete_stack(account, "scones", **heard.following)


def test_what_is_left_of_a_deleted_stack_is_told_with_the_cause(
    account: Account, script: Scripted, heard: Heard
) -> None:
    script.stack("UPDATE_COMPLETE")
    script.events(event(1, "scones", "UPDATE_COMPLETE"))
    script.nothing("delete_stack", StackName=ARN)
    kept = event(2, "Bucket", "DELETE_FAILED", "it is not empty", "AWS::S3::Bucket")
    script.events(event(1, "scones", "UPDATE_COMPLETE"), kept, event(3, "scones", "DELETE_FAILED"))
    script.stack("DELETE_FAILED")
    script.events(event(3, "scones", "DELETE_FAILED"))
    with pytest.raises(LeftBehind, match=r"Bucket \(AWS::S3::Bucket\) is DELETE_FAILED: it is not empty"):
        delete_stack(account, "scones", **heard.following)


def test_what_somebody_else_does_to_a_stack_is_waited_for(account: Account, script: Scripted, heard: Heard) -> None:
    script.stack("UPDATE_IN_PROGRESS")
    begun = event(1, "scones", "UPDATE_IN_PROGRESS")
    script.events(begun)
    script.events(begun)
    script.stack("UPDATE_IN_PROGRESS")
    script.events(begun, event(2, "scones", "UPDATE_COMPLETE"))
    script.stack("UPDATE_COMPLETE", Parameters=[{"ParameterKey": "Days", "ParameterValue": "30"}])
    script.events(event(2, "scones", "UPDATE_COMPLETE"))
    declared = {"ParameterKey": "Days", "ParameterType": "Number", "DefaultValue": "30"}
    script.stub.add_response("get_template_summary", {"Parameters": [declared]})
    with pytest.raises(AwsError, match="no parameter Day: it has Days"):
        make(account, heard, Day="31")
    assert heard.said == ["somebody else is at work on stack scones (UPDATE_IN_PROGRESS): waiting for the end of it"]
    assert heard.statuses == ["scones UPDATE_COMPLETE"]
    assert heard.pauses == [5.0]


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED"])
def test_a_plan_takes_nothing_away_of_what_a_failed_attempt_left(
    account: Account, script: Scripted, heard: Heard, status: str
) -> None:
    script.stack(status)
    with pytest.raises(AwsError, match=f"is in {status} since an attempt failed: `scones aws deploy` puts that right"):
        make(account, heard)


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "CREATE_FAILED"])
def test_a_deployment_first_deletes_what_a_failed_attempt_left(
    account: Account, script: Scripted, heard: Heard, status: str
) -> None:
    script.stack(status)
    script.stack(status)
    script.events(event(1, "scones", status))
    script.nothing("delete_stack", StackName=ARN)
    script.events(event(1, "scones", status), event(2, "scones", "DELETE_COMPLETE"))
    script.stack("DELETE_COMPLETE")
    script.events(event(2, "scones", "DELETE_COMPLETE"))
    script.stub.add_response("get_template_summary", {"Parameters": []})
    with pytest.raises(AwsError, match="no parameter Day"):
        make(account, heard, clear=True, Day="31")
    assert heard.said == [f"stack scones is in {status}: what an earlier attempt left is taken away first"]


@pytest.mark.parametrize("then", ["UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"])
def test_a_deployment_first_takes_a_stack_back_that_is_stuck(
    account: Account, script: Scripted, heard: Heard, then: str
) -> None:
    script.stack("UPDATE_ROLLBACK_FAILED")
    script.events(event(1, "scones", "UPDATE_ROLLBACK_FAILED"))
    script.nothing("continue_update_rollback", StackName=ARN)
    how = event(2, "Topic", "UPDATE_FAILED" if then.endswith("FAILED") else "UPDATE_COMPLETE", "it is gone")
    script.events(event(1, "scones", "UPDATE_ROLLBACK_FAILED"), how, event(3, "scones", then))
    script.stack(then)
    script.events(event(3, "scones", then))
    if then == "UPDATE_ROLLBACK_COMPLETE":
        script.stub.add_response("list_change_sets", {"Summaries": []})
        script.stub.add_response("get_template_summary", {"Parameters": []})
    said = "cannot go back to what it was: Topic .* it is gone" if then.endswith("FAILED") else "no parameter Day"
    with pytest.raises(AwsError, match=said):
        make(account, heard, clear=True, Day="31")


def test_a_stack_that_takes_too_long_goes_on_by_itself(account: Account, script: Scripted, heard: Heard) -> None:
    begun = event(1, "scones", "UPDATE_IN_PROGRESS")
    script.events()
    script.nothing("execute_change_set")
    for _ in range(1801):
        script.events(begun)
        script.stack("UPDATE_IN_PROGRESS")
    with pytest.raises(AwsError, match="has not ended after 150 min: CloudFormation goes on by itself"):
        execute(account, a_change_set(creates=False), **heard.following)
    assert sum(heard.pauses) == pytest.approx(9005)
    assert heard.statuses == ["scones UPDATE_IN_PROGRESS"], "told once"


def described(status: str, reason: str = "", changes: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    given = {"ChangeSetId": CHANGES, "StackId": ARN, "Status": status, "Changes": changes or []}
    return given | ({"StatusReason": reason} if reason else {})


def test_what_becomes_of_each_resource_is_said_in_words(account: Account, script: Scripted, heard: Heard) -> None:
    def change(action: str, logical_id: str, **more: str) -> dict[str, Any]:
        found = {"Action": action, "LogicalResourceId": logical_id, "ResourceType": "AWS::S3::Bucket", **more}
        return {"Type": "Resource", "ResourceChange": found}

    script.stack("UPDATE_COMPLETE")
    script.stub.add_response("get_template_summary", {"Parameters": []})
    script.stub.add_response("create_change_set", {"Id": CHANGES, "StackId": ARN})
    script.stub.add_response("describe_change_set", described("CREATE_IN_PROGRESS"))
    first = [
        change("Modify", "A", Replacement="False", PhysicalResourceId="a"),
        change("Modify", "B", Replacement="True"),
    ]
    script.stub.add_response("describe_change_set", described("CREATE_COMPLETE", changes=first) | {"NextToken": "2"})
    rest = [
        change("Modify", "C", Replacement="Conditional", PolicyAction="ReplaceAndRetain"),
        change("Import", "D"),
        change("Remove", "E", PolicyAction="Delete"),
        change("Remove", "F", PolicyAction="Retain"),
        change("Dynamic", "G"),
    ]
    script.stub.add_response("describe_change_set", described("CREATE_COMPLETE", changes=rest))
    made = make(account, heard)
    assert made.changes[0] == Change("Modify", "A", "AWS::S3::Bucket", "a", "False")
    assert [one.words for one in made.changes] == [
        "changed in place",
        "replaced by a new one",
        "changed, or replaced by a new one, the old one is kept",
        "there already: taken in",
        "removed",
        "left out of the stack, and kept",
        "decided when it is done",
    ]
    assert heard.pauses == [5.0]


def test_what_aws_finds_wrong_with_a_template_is_told_whole_and_nothing_stays(
    account: Account, script: Scripted, heard: Heard
) -> None:
    missing = f"Stack with id {ARN} does not exist"
    script.stub.add_client_error("describe_stacks", "ValidationError", missing)
    script.stub.add_response("get_template_summary", {"Parameters": []})
    script.stub.add_response("create_change_set", {"Id": CHANGES, "StackId": ARN})
    reason = "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]"
    script.stub.add_response("describe_change_set", described("FAILED", reason))
    found = {"EventId": "1", "StackId": ARN, "LogicalResourceId": "Bucket", "ValidationStatus": "FAILED"}
    found["ValidationStatusReason"] = "Resource of type AWS::S3::Bucket with identifier taken already exists"
    script.stub.add_response("describe_events", {"OperationEvents": [found]}, {"ChangeSetName": CHANGES})
    script.nothing("delete_change_set", ChangeSetName=CHANGES, StackName=ARN)
    script.stub.add_client_error("describe_stacks", "ValidationError", missing)
    with pytest.raises(StackFailed, match=r"EarlyValidation.*; Bucket: .* identifier taken already exists"):
        make(account, heard)


def test_what_aws_finds_wrong_is_told_where_its_details_may_not_be_read(
    account: Account, script: Scripted, heard: Heard
) -> None:
    missing = f"Stack with id {ARN} does not exist"
    script.stub.add_client_error("describe_stacks", "ValidationError", missing)
    script.stub.add_response("get_template_summary", {"Parameters": []})
    script.stub.add_response("create_change_set", {"Id": CHANGES, "StackId": ARN})
    script.stub.add_response("describe_change_set", described("FAILED", "The following hook(s)/validation failed: [X]"))
    script.stub.add_client_error("describe_events", "AccessDenied", "no")
    script.nothing("delete_change_set", ChangeSetName=CHANGES, StackName=ARN)
    script.stub.add_client_error("describe_stacks", "ValidationError", missing)
    with pytest.raises(StackFailed, match=r"AWS finds a fault in stack scones: .* failed: \[X\]$"):
        make(account, heard)


def test_a_change_set_that_aws_never_makes_is_given_up(account: Account, script: Scripted, heard: Heard) -> None:
    script.stack("UPDATE_COMPLETE")
    script.stub.add_response("get_template_summary", {"Parameters": []})
    script.stub.add_response("create_change_set", {"Id": CHANGES, "StackId": ARN})
    for _ in range(60):
        script.stub.add_response("describe_change_set", described("CREATE_PENDING"))
    script.nothing("delete_change_set", ChangeSetName=CHANGES, StackName=ARN)
    with pytest.raises(AwsError, match="makes no change set of stack scones in 5 min"):
        make(account, heard)
    assert sum(heard.pauses) == pytest.approx(300)


def test_where_only_the_stack_itself_failed_that_is_the_cause() -> None:
    failed = StackEvent("1", "scones", "AWS::CloudFormation::Stack", "CREATE_FAILED", "no", THEN, of_stack=True)
    assert first_cause([failed]) == failed
    assert first_cause([]) is None
