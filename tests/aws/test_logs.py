"""The logs of all parts, as one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from typer.testing import CliRunner, Result

from scones.aws.account import Account
from scones.aws.logs import APPLICATION, PARTS, LogEvent, LogGroup, find_groups, follow_logs, read_logs
from scones.aws.names import Names
from scones.cli import command_line
from scones.errors import AwsAccess, SettingsError
from tests.aws.populated import put_job, write_log
from tests.aws.refusing import refuse

NOW = datetime.now(UTC).replace(microsecond=0)
SERIALIZE = "/aws/lambda/scones-serialize-image"
CLASSIFY = "/aws/lambda/scones-classify-image"
MACHINE = "/aws/vendedlogs/states/scones-classify"
ENDPOINT = "/aws/sagemaker/Endpoints/scones"
BUILD = "/aws/codebuild/scones-container"


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def scones(*arguments: str) -> Result:
    return CliRunner().invoke(command_line("aws"), ["aws", "logs", *arguments])


@pytest.fixture
def written(account: Account) -> None:
    """Lines as AWS's services write them."""
    lines = {
        (SERIALIZE, "a"): [(50, '{"timestamp": "x", "level": "INFO", "message": "claimed", "requestId": "r-1"}')],
        (SERIALIZE, "b"): [(30, "plain text\n")],
        (CLASSIFY, "a"): [
            (40, '{"level": "ERROR", "errorType": "EndpointBusy", "errorMessage": "too slow", "requestId": "r-2"}'),
            (5, '{"type": "platform.report", "record": {"requestId": "r-2", "status": "timeout"}}'),
        ],
        (MACHINE, "a"): [
            (
                20,
                json.dumps(
                    {
                        "type": "TaskFailed",
                        "details": {"error": "EndpointBusy", "cause": "too slow", "resource": "invoke"},
                        "execution_arn": "arn:aws:states:eu-west-1:123456789012:express:scones-classify:one:2",
                    }
                ),
            )
        ],
        (ENDPOINT, "main/i-1"): [(3600, "long ago"), (10, "[1, 2]")],
        (BUILD, "a"): [(15, "Step 1")],
        ("/aws/lambda/scones-two-serialize-image", "a"): [(9, "of another stack")],
        ("/aws/lambda/scones-website", "a"): [(9, "of somebody else")],
    }
    for (group, stream), some in lines.items():
        write_log(account, group, stream, [(ago(seconds), text) for seconds, text in some])


def test_the_groups_that_are_there_are_found_under_short_names(account: Account, names: Names, written: None) -> None:
    found = find_groups(account, names)
    assert [(one.name, one.short) for one in found] == [
        (CLASSIFY, "classify-image"),
        (SERIALIZE, "serialize-image"),
        (MACHINE, "classify"),
        (ENDPOINT, "endpoint"),
    ]
    assert find_groups(account, names, ["build"]) == [LogGroup(BUILD, "build")]
    assert find_groups(account, Names("pies", account.id, account.region), list(PARTS)) == []
    assert set(APPLICATION) < set(PARTS)


def test_lines_of_all_parts_come_by_time_and_say_what_they_are(account: Account, names: Names, written: None) -> None:
    found = list(read_logs(account, find_groups(account, names), ago(900)))
    assert [(one.group, one.level, one.text, one.request) for one in found] == [
        ("serialize-image", "INFO", "claimed", "r-1"),
        ("classify-image", "ERROR", "EndpointBusy: too slow", "r-2"),
        ("serialize-image", "", "plain text", ""),
        ("classify", "ERROR", "TaskFailed EndpointBusy too slow", "one"),
        ("endpoint", "", "[1, 2]", ""),
        ("classify-image", "", 'platform.report {"status": "timeout"}', "r-2"),
    ]
    assert found[0].time == ago(50)
    assert [one.time for one in found] == sorted(one.time for one in found)


@pytest.mark.parametrize(
    ("message", "read"),
    [
        ('{"message": {"seen": 3}, "level": "INFO"}', ("INFO", '{"seen": 3}', "")),
        (
            '{"message": "no picture", "errorType": "PictureError", "errorMessage": "bad", "level": "WARN"}',
            ("WARN", "no picture PictureError: bad", ""),
        ),
        ('{"message": "x", "level": null, "requestId": null, "errorMessage": null}', ("", "x", "")),
        ('{"type": "ExecutionStarted", "execution_arn": "odd"}', ("", "ExecutionStarted", "")),
        ('{"other": 1}', ("", '{"other": 1}', "")),
        ('"text"', ("", '"text"', "")),
        ("{broken", ("", "{broken", "")),
        (
            '{"type": "TaskStateEntered", "details": {"name": "Classify"}, "execution_arn": "a:b:c:d:e:f:g:two"}',
            ("", "TaskStateEntered Classify", "two"),
        ),
    ],
)
def test_a_line_of_any_kind_is_readable(
    account: Account, names: Names, message: str, read: tuple[str, str, str]
) -> None:
    write_log(account, CLASSIFY, "a", [(ago(1), message)])
    [found] = read_logs(account, find_groups(account, names), ago(60))
    assert (found.level, found.text, found.request) == read
    assert found.message == message


def test_a_long_log_is_read_to_its_end(account: Account, names: Names) -> None:
    for stream in ("a", "b"):
        write_log(account, CLASSIFY, stream, [(ago(600 - number / 100), f"line {number}") for number in range(6000)])
    found = list(read_logs(account, find_groups(account, names), ago(900)))
    assert len(found) == len({one.id for one in found}) == 12_000


def test_of_the_log_that_all_jobs_share_only_the_stacks_own_are_shown(account: Account, names: Names) -> None:
    put_job(account, names, "scones-train-1")
    put_job(account, Names("scones-two", account.id, account.region), "scones-two-train-1")
    groups = find_groups(account, names, ["training"])
    assert groups == [LogGroup("/aws/sagemaker/TrainingJobs", "training", frozenset({"scones-train-1"}))]
    assert [one.text for one in read_logs(account, groups, ago(60))] == ["epoch 1", "epoch 1"]


def test_a_log_that_goes_meanwhile_ends(account: Account) -> None:
    assert list(read_logs(account, [LogGroup(CLASSIFY, "classify-image")], ago(60))) == []


def test_no_permission_is_told(account: Account, names: Names, written: None) -> None:
    groups = find_groups(account, names)
    refuse(account.logs, "FilterLogEvents")
    with pytest.raises(AwsAccess, match=r"cannot read the log /aws/.*: no permission for FilterLogEvents"):
        list(read_logs(account, groups, ago(60)))


def following(account: Account, names: Names, pauses: Iterator[Callable[[], None]]) -> Iterator[LogEvent]:
    def pause(_: float) -> None:
        next(pauses)()

    return follow_logs(account, lambda: find_groups(account, names), ago(900), pause)


def test_following_shows_each_line_once_also_late_ones_and_new_logs(account: Account, names: Names) -> None:
    def write(group: str, seconds: float, text: str) -> Callable[[], None]:
        return lambda: write_log(account, group, "a", [(ago(seconds), text)])

    pauses = iter(
        [
            write(CLASSIFY, 300, "first"),
            write(SERIALIZE, 290, "of a new log"),
            write(CLASSIFY, 295, "late"),
            lambda: None,
            write(CLASSIFY, 100, "much later"),
            write(CLASSIFY, 120, "late again"),
            write(CLASSIFY, 99, "end"),
        ]
    )
    found = [one.text for one in islice(following(account, names, pauses), 6)]
    assert found == ["first", "of a new log", "late", "much later", "late again", "end"]


def test_following_shows_a_line_of_the_first_millisecond_once(account: Account, names: Names) -> None:
    start = ago(900).replace(microsecond=999)
    pauses: Iterator[Callable[[], object]] = iter(
        [
            lambda: write_log(account, CLASSIFY, "a", [(start.replace(microsecond=0), "first")]),
            lambda: None,
            lambda: write_log(account, CLASSIFY, "a", [(ago(890), "second")]),
        ]
    )
    followed = follow_logs(account, lambda: find_groups(account, names), start, lambda _: next(pauses)())
    assert [one.text for one in islice(followed, 2)] == ["first", "second"]


def test_the_verb_shows_a_line_each_and_json_on_request(account: Account, written: None) -> None:
    result = scones()
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert len(lines) == 6
    assert lines[0].endswith(" serialize-image    INFO claimed  r-1")
    assert lines[1].endswith(" classify-image     ERROR EndpointBusy: too slow  r-2")
    read = [json.loads(line) for line in scones("--json").stdout.splitlines()]
    assert len(read) == 6
    assert read[0] == {
        "time": ago(50).isoformat(),
        "group": "serialize-image",
        "level": "INFO",
        "request": "r-1",
        "message": {"timestamp": "x", "level": "INFO", "message": "claimed", "requestId": "r-1"},
    }
    assert read[2]["message"] == "plain text"


def test_the_verb_shows_parts_times_and_patterns_as_asked(account: Account, written: None) -> None:
    assert scones("build").stdout.endswith(" build              Step 1\n")
    assert len(scones("build", "endpoint", "--since", "2h").stdout.splitlines()) == 3
    assert len(scones("--grep", "r-[12]").stdout.splitlines()) == 3
    nothing = scones("--grep", "no such", "--since", "1d")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert nothing.stderr == "no line since 1d in which 'no such' is found\n"


@pytest.mark.parametrize("since", ["999999w", "99999d"])
def test_the_verb_goes_back_to_the_first_line_that_there_can_be(account: Account, written: None, since: str) -> None:
    result = scones("endpoint", "--since", since)
    assert result.exit_code == 0
    assert "long ago" in result.stdout


def test_the_verb_says_where_there_are_no_logs(account: Account) -> None:
    result = scones("functions", "--stack", "pies")
    assert (result.exit_code, result.stderr) == (0, "stack pies has no logs of functions yet\n")


def test_the_verb_follows_until_ctrl_c(account: Account, written: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupted)
    result = scones("--follow")
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 6


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["everything"], "nothing logs as 'everything': use one of functions, machines, endpoint, training, build"),
        (["--since", "yesterday"], "--since 'yesterday' is no time: write a number and s, m, h, d or w, as 15m"),
        (["--grep", "("], "--grep '(' is no regular expression"),
    ],
)
def test_what_the_verb_cannot_understand_it_says(account: Account, arguments: list[str], told: str) -> None:
    result = scones(*arguments)
    assert isinstance(result.exception, SettingsError)
    assert told in str(result.exception)
