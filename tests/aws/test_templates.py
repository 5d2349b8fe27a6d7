"""The two templates: sound, least privilege, and of one mind with the code."""

from __future__ import annotations

import importlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from cfnlint.decode.cfn_yaml import loads

from scones.aws.names import TAG, Names
from scones.aws.templates import INLINE_BYTES, compact, template
from scones.capture import CANDIDATE_VARIANT
from scones.store import Layout
from scones.workflow.definitions import FUNCTIONS, MACHINES, definition

BOTH = pytest.mark.parametrize("name", ["bootstrap", "app"])
# the actions that IAM lets nobody narrow to a resource (Service Authorization Reference)
WITHOUT_RESOURCE = {
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}


@cache
def parsed(name: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(loads(template(name)), default=str))
    return found


def resources(name: str, kind: str = "") -> dict[str, Any]:
    return {key: one for key, one in parsed(name)["Resources"].items() if kind in ("", one["Type"])}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def allowed(name: str) -> list[tuple[str, dict[str, Any]]]:
    """Every Allow of the policies that are given to roles and people, with the name of its resource."""
    found = []
    for key, one in resources(name).items():
        properties = one.get("Properties", {})
        policies = [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
        if one["Type"] in ("AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
            policies.append(properties["PolicyDocument"])
        found += [(key, each) for policy in policies for each in policy["Statement"] if each["Effect"] == "Allow"]
    return found


def texts(value: Any) -> list[str]:
    """All strings in a value."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


@BOTH
def test_a_template_is_clean_to_cfn_lint_with_its_state_machines(name: Any) -> None:
    text = template(name)
    for machine in MACHINES:
        place = f"DefinitionS3Location: {{ Bucket: !Ref ArtefactBucket, Key: !Ref {machine.title()}MachineKey }}"
        assert name == "bootstrap" or place in text
        text = text.replace(place, f"DefinitionString: {json.dumps(definition(machine))}")
    unused = {f"{machine.title()}MachineKey" for machine in MACHINES}  # in the text with the machines inside
    found = lint(text, config=ManualArgs(regions=["eu-west-1", "us-east-1"]))
    assert [str(match) for match in found if not any(key in match.message for key in unused)] == []


def test_cfn_lint_sees_into_the_state_machines() -> None:
    machine = json.dumps(definition("review").replace('"StartAt": "Prepare"', '"StartAt": "Nowhere"'))
    text = re.sub(
        r"DefinitionS3Location: .*ReviewMachineKey }", lambda _: f"DefinitionString: {machine}", template("app")
    )
    found = lint(text, config=ManualArgs(regions=["eu-west-1"]))
    assert any("Nowhere" in match.message for match in found)


@BOTH
def test_a_template_is_sent_in_few_enough_bytes_and_says_the_same(name: Any) -> None:
    sent = compact(template(name))
    assert len(sent.encode()) <= INLINE_BYTES
    assert json.loads(json.dumps(loads(sent), default=str)) == parsed(name)


@BOTH
def test_nothing_may_do_everything(name: str) -> None:
    statements = allowed(name)
    assert statements
    for key, statement in statements:
        assert not any("*" in action for action in listed(statement["Action"])), key
        if "*" in listed(statement["Resource"]):
            assert set(listed(statement["Action"])) <= WITHOUT_RESOURCE, key


@BOTH
def test_each_right_to_all_resources_says_why(name: Any) -> None:
    lines = [line for line in template(name).splitlines() if 'Resource: "*"' in line]
    assert lines
    assert all("#" in line for line in lines), lines


@BOTH
def test_metrics_go_to_the_namespace_of_their_own(name: str) -> None:
    for key, statement in allowed(name):
        if "cloudwatch:PutMetricData" in listed(statement["Action"]):
            assert "cloudwatch:namespace" in statement["Condition"]["StringEquals"], key


def test_nothing_may_write_below_arrivals() -> None:
    written = [
        text
        for _, statement in allowed("app")
        if {"s3:PutObject"} & set(listed(statement["Action"]))
        for text in texts(statement["Resource"])
    ]
    assert written
    assert all(re.search(r"/[a-z-]+/\*$", text) and "/arrivals/" not in text for text in written), written


@BOTH
def test_buckets_are_encrypted_versioned_private_and_outlive_their_stack(name: str) -> None:
    buckets = resources(name, "AWS::S3::Bucket")
    assert len(buckets) == 1
    policies = {
        one["Properties"]["Bucket"]["Ref"]: one["Properties"]["PolicyDocument"]["Statement"]
        for one in resources(name, "AWS::S3::BucketPolicy").values()
    }
    for key, bucket in buckets.items():
        properties = bucket["Properties"]
        assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(properties["PublicAccessBlockConfiguration"]) == 4
        assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
        assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
        rules = {rule["Id"]: rule for rule in properties["LifecycleConfiguration"]["Rules"]}
        assert {"old-versions", "halves"} <= rules.keys()
        [deny] = policies[key]
        assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_pictures_and_their_capture_expire() -> None:
    rules = resources("app")["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    expiring = {rule["Prefix"]: rule["ExpirationInDays"]["Ref"] for rule in rules if "ExpirationInDays" in rule}
    assert expiring == {"arrivals/": "PictureDays", "capture/": "CaptureDays"}


@BOTH
def test_every_log_ends(name: str) -> None:
    groups = resources(name, "AWS::Logs::LogGroup")
    assert groups
    assert {one["Properties"]["RetentionInDays"]["Ref"] for one in groups.values()} == {"LogDays"}


def test_every_function_has_a_log_a_role_of_its_own_and_is_traced() -> None:
    functions = resources("app", "AWS::Lambda::Function")
    assert len(functions) == 5
    for key, one in functions.items():
        properties = one["Properties"]
        assert properties["LoggingConfig"]["LogGroup"] == {"Ref": f"{key}Logs"}
        assert properties["Role"]["Fn::GetAtt"] == [f"{key}Role", "Arn"]
        assert properties["TracingConfig"] == {"Mode": "Active"}
        assert properties["Runtime"] == {"Ref": "FunctionRuntime"}
        assert properties["Timeout"] <= 300


def test_the_handlers_are_there() -> None:
    for one in resources("app", "AWS::Lambda::Function").values():
        module, _, name = one["Properties"]["Handler"].rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))


def test_state_machines_log_without_pictures_and_are_traced() -> None:
    machines = resources("app", "AWS::StepFunctions::StateMachine")
    assert len(machines) == len(MACHINES)
    for key, one in machines.items():
        properties = one["Properties"]
        assert properties["TracingConfiguration"] == {"Enabled": True}
        assert properties["LoggingConfiguration"]["IncludeExecutionData"] is False
        group = properties["LoggingConfiguration"]["Destinations"][0]["CloudWatchLogsLogGroup"]["LogGroupArn"]
        assert group["Fn::GetAtt"][0] == f"{key.removesuffix('Machine')}Logs"


@pytest.mark.parametrize("name", MACHINES)
def test_everything_that_a_state_machine_names_is_filled_in(name: str) -> None:
    machine = resources("app")[f"{name.title()}Machine"]["Properties"]
    placeholders = set(re.findall(r"\$\{(\w+)\}", definition(name)))
    assert set(machine["DefinitionSubstitutions"]) == placeholders
    known = {*parsed("app")["Resources"], *parsed("app")["Parameters"]}
    for key, value in machine["DefinitionSubstitutions"].items():
        assert value["Ref"] in known
        if key in FUNCTIONS:
            handler = resources("app")[value["Ref"]]["Properties"]["Handler"]
            assert handler == f"scones.functions.{FUNCTIONS[key]}.handler"


@pytest.mark.parametrize("name", MACHINES)
def test_a_state_machine_may_call_what_it_names_and_nothing_else(name: str) -> None:
    machine = resources("app")[f"{name.title()}Machine"]["Properties"]
    role = machine["RoleArn"]["Fn::GetAtt"][0]
    invoked = {
        resource["Fn::GetAtt"][0]
        for key, statement in allowed("app")
        if key == role and statement["Action"] == "lambda:InvokeFunction"
        for resource in listed(statement["Resource"])
    }
    assert invoked == {
        value["Ref"] for key, value in machine["DefinitionSubstitutions"].items() if key.endswith("Function")
    }


def test_only_an_object_below_arrivals_starts_an_execution_and_none_is_lost() -> None:
    rule = resources("app")["ArrivalRule"]["Properties"]
    assert rule["EventPattern"]["detail"]["object"] == {"key": [{"prefix": "arrivals/"}]}
    [target] = rule["Targets"]
    assert target["Arn"] == {"Ref": "ClassifyMachine"}
    assert target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0] == "DeadLetters"
    assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
    message = target["InputTransformer"]["InputTemplate"].replace("<bucket>", '"b"').replace("<key>", '"k"')
    assert json.loads(message) == {"image_data": "", "s3_bucket": "b", "s3_key": "k"}
    schedule = resources("app")["Schedule"]["Properties"]["Target"]
    assert schedule["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0] == "DeadLetters"
    assert resources("app")["DeadLetters"]["Properties"]["SqsManagedSseEnabled"] is True


def test_every_alarm_tells_people_and_all_that_can_go_wrong_has_one() -> None:
    alarms = resources("app", "AWS::CloudWatch::Alarm")
    assert all(one["Properties"]["AlarmActions"] == [{"Ref": "Topic"}] for one in alarms.values())
    assert set(alarms) == {
        "FunctionErrorsAlarm",
        "FunctionThrottlesAlarm",
        "WorkflowFailuresAlarm",
        "EndpointErrorsAlarm",
        "EndpointLatencyAlarm",
        "LowConfidenceAlarm",
        "DriftAlarm",
        "DeadLettersAlarm",
    }
    dashboard = json.dumps(resources("app")["Dashboard"])
    assert all(f"${{{key}.Arn}}" in dashboard for key in alarms)
    budget = resources("app")["Budget"]["Properties"]["NotificationsWithSubscribers"]
    assert {each["Address"]["Ref"] for one in budget for each in one["Subscribers"]} == {"Topic"}


def test_the_dashboard_is_json() -> None:
    body, _ = resources("app")["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    assert json.loads(re.sub(r"\$\{[\w.:]+\}", "1", body))["widgets"]


def test_a_new_model_comes_carefully_and_goes_back_by_itself() -> None:
    which, realtime, _ = resources("app")["Endpoint"]["Properties"]["DeploymentConfig"]["Fn::If"]
    assert which == "Guarded"
    canary = realtime["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Fn::If"][1]
    assert canary["Type"] == "CANARY"
    assert canary["CanarySize"]["Value"] <= 50
    alarms = {one["AlarmName"]["Ref"] for one in realtime["AutoRollbackConfiguration"]["Alarms"]}
    assert alarms == {"EndpointErrorsAlarm", "EndpointLatencyAlarm"}
    [seen] = [one for key, one in allowed("app") if one["Action"] == "cloudwatch:DescribeAlarms"]
    assert {one["Fn::GetAtt"][0] for one in seen["Resource"]} == alarms


def test_a_candidate_answers_in_the_shadow_or_beside_production_and_never_without_instances() -> None:
    properties = resources("app")["EndpointConfig"]["Properties"]
    main, canary = properties["ProductionVariants"]
    shadows, [shadow], _ = properties["ShadowProductionVariants"]["Fn::If"]
    shares, beside, _ = canary["Fn::If"]
    conditions = parsed("app")["Conditions"]
    none = {"Fn::Equals": [{"Ref": "CandidateWeight"}, 0]}
    assert conditions[shadows]["Fn::And"] == [{"Condition": "Candidate"}, none]
    assert conditions[shares]["Fn::And"] == [{"Condition": "Candidate"}, {"Fn::Not": [none]}]
    assert shadow["VariantName"] == beside["VariantName"] == CANDIDATE_VARIANT != main["VariantName"]
    assert (shadow["InitialVariantWeight"], main["InitialVariantWeight"]) == (1, 1), "it sees every picture"
    assert beside["InitialVariantWeight"] == {"Ref": "CandidateWeight"}
    assert resources("app")["CandidateModel"]["Condition"] == "Candidate"
    rule = parsed("app")["Rules"]["CandidateNeedsInstances"]
    assert rule["RuleCondition"] == conditions["Candidate"]
    assert rule["Assertions"][0]["Assert"] == {"Fn::Equals": [{"Ref": "Inference"}, "real-time"]}


def test_what_the_endpoint_may_read_does_not_change_with_the_model() -> None:
    [read] = [one for key, one in allowed("app") if key == "EndpointRole" and one["Action"] == "s3:GetObject"]
    assert texts(read["Resource"]) == ["arn:${AWS::Partition}:s3:::${ArtefactBucket}/models/*"]
    assert Layout.model("vehicles", "v1").startswith("models/")


def test_without_a_scaling_the_instance_type_can_be_changed() -> None:
    scales = parsed("app")["Conditions"]["Scales"]["Fn::And"]
    assert scales[1] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "MinInstances"}, {"Ref": "MaxInstances"}]}]}
    assert {resources("app")[key]["Condition"] for key in ("Scaling", "ScalingPolicy")} == {"Scales"}


def test_alarms_budgets_and_events_may_tell_people_from_this_account_alone() -> None:
    policy = resources("app")["TopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    lets = [one for one in policy if one["Effect"] == "Allow"]
    services = {service for one in lets for service in listed(one["Principal"]["Service"])}
    assert services == {f"{name}.amazonaws.com" for name in ("cloudwatch", "budgets", "events")}
    account = {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert [one["Condition"] for one in lets] == [{"StringEquals": account}, {"StringEqualsIfExists": account}]


def test_the_endpoint_captures_and_scales_between_its_bounds() -> None:
    capture = resources("app")["EndpointConfig"]["Properties"]["DataCaptureConfig"]["Fn::If"][1]
    assert capture["EnableCapture"] is True
    assert {one["CaptureMode"] for one in capture["CaptureOptions"]} == {"Input", "Output"}
    assert capture["DestinationS3Uri"]["Fn::Sub"].endswith("/capture")
    scaling = resources("app")["Scaling"]["Properties"]
    parameters = parsed("app")["Parameters"]
    assert (scaling["MinCapacity"]["Ref"], scaling["MaxCapacity"]["Ref"]) == ("MinInstances", "MaxInstances")
    assert parameters["MinInstances"]["Default"] <= parameters["MaxInstances"]["Default"]


def test_others_may_ask_and_start_and_no_more() -> None:
    [policy] = [one for key, one in resources("app", "AWS::IAM::ManagedPolicy").items() if key == "Callers"]
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    assert {each["Action"] for each in statements} == {"sagemaker:InvokeEndpoint", "states:StartExecution"}


@BOTH
def test_every_parameter_says_what_it_is_and_is_bounded(name: str) -> None:
    for key, one in parsed(name)["Parameters"].items():
        assert one["Description"], key
        if "Default" not in one:  # what the deployment gives each time
            assert key == "AppStack" or key.endswith(("Key", "Uri", "Bucket")), key
        elif one["Type"] == "Number":
            assert "AllowedValues" in one or {"MinValue", "MaxValue"} <= one.keys(), key
        else:
            assert "AllowedValues" in one or "AllowedPattern" in one, key


@BOTH
def test_every_name_follows_from_the_stacks(name: str) -> None:
    for key, one in resources(name).items():
        for field, value in one.get("Properties", {}).items():
            if field.endswith("Name") and field not in ("MetricName", "PolicyName") and isinstance(value, str):
                pytest.fail(f"{key}.{field} is {value} whatever the stack")


def test_the_code_derives_the_names_that_the_templates_do() -> None:
    names = Names("stack", "123456789012", "eu-west-1")
    known = {
        "AWS::StackName": names.stack,
        "AppStack": names.stack,
        "AWS::AccountId": names.account,
        "AWS::Region": names.region,
    }

    def text(value: Any) -> str:
        value = value.get("Fn::If", [value, value])[1] if isinstance(value, dict) else value
        return re.sub(r"\$\{([\w:]+)\}", lambda match: known[match[1]], value["Fn::Sub"])

    app, first = resources("app"), resources("bootstrap")
    assert text(app["Bucket"]["Properties"]["BucketName"]) == names.bucket
    assert text(first["Artefacts"]["Properties"]["BucketName"]) == names.artefacts
    assert text(first["Repository"]["Properties"]["RepositoryName"]) == names.repository
    assert text(first["Build"]["Properties"]["Name"]) == names.build
    assert text(first["TrainingRole"]["Properties"]["RoleName"]) == names.training_role
    assert text(app["Topic"]["Properties"]["TopicName"]) == names.topic
    for machine in MACHINES:
        assert text(app[f"{machine.title()}Machine"]["Properties"]["StateMachineName"]) == names.machine(machine)
    for one in resources("app", "AWS::Lambda::Function").values():
        module = one["Properties"]["Handler"].split(".")[-2]
        assert text(one["Properties"]["FunctionName"]) == names.function(module)


def test_the_monitor_may_change_this_stack_and_its_endpoint_only_where_it_is_told_to_act() -> None:
    acts = resources("app")["WatchActs"]
    assert acts["Condition"] == "Acts"
    changing = [
        (key, action)
        for key, statement in allowed("app")
        for action in listed(statement["Action"])
        if action.startswith(("cloudformation:", "lambda:Update"))
    ]
    assert {key for key, _ in changing} == {"WatchActs"}
    statements = acts["Properties"]["PolicyDocument"]["Statement"]
    [stack] = [one for one in statements if "cloudformation" in str(one["Action"])]
    assert stack["Resource"] == {"Ref": "AWS::StackId"}
    [passed] = [one for key, one in allowed("app") if one["Action"] == "iam:PassRole"]
    roles = {one["Fn::GetAtt"][0] for one in passed["Resource"]}
    assert roles == {"ClassifyImageRole", "WatchCaptureRole", "EndpointRole"}
    services = {"iam:PassedToService": ["lambda.amazonaws.com", "sagemaker.amazonaws.com"]}
    assert passed["Condition"] == {"StringEquals": services}
    tagged = [one for one in statements if "sagemaker:" in str(one["Action"])]
    assert [one["Condition"]["StringEquals"] for one in tagged] == [
        {f"aws:{whose}Tag/{TAG}": {"Ref": "AWS::StackName"}} for whose in ("Request", "Resource")
    ]


def test_every_parameter_is_documented_with_its_default_and_the_other_way_round() -> None:
    page = (Path(__file__).parents[2] / "docs/aws.md").read_text()
    rows = dict(re.findall(r"^\| `([A-Z]\w+)` \| `?([^`|]*?)`? \|", page, re.M))
    given = {key: one["Default"] for key, one in parsed("app")["Parameters"].items() if "Default" in one}
    assert rows == {key: str(value) or "none" for key, value in given.items()}
