"""The monitor on the command line: watched once and again, ended, asked, begun anew."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scones import errors
from scones.monitoring.watch.history import newest_look
from scones.monitoring.watch.standings import in_force
from scones.staging import SourcePicture
from scones.store import Bucket, Layout
from tests.monitoring.watch.world import ENDPOINT, Shop, build

Run: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]
Start: TypeAlias = Callable[..., subprocess.Popen[str]]
Wait: TypeAlias = Callable[[Callable[[], object]], None]


@pytest.fixture(scope="session")
def built(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_bundle: Callable[..., bytes],
    red_and_blue: Callable[..., list[SourcePicture]],
) -> Bucket:
    return build(tmp_path_factory.mktemp("built"), tiny_bundle(strength=3.2), red_and_blue())


@pytest.fixture
def shop(built: Bucket, tmp_path: Path, tiny_bundle: Callable[..., bytes]) -> Shop:
    return Shop.copy_of(built, tmp_path / ".scones/store", tiny_bundle(strength=3.2))


def ago(minutes: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_watch_looks_once_and_status_says_how_it_stands(scones: Run, shop: Shop, tmp_path: Path) -> None:
    shop.capture(200, start=ago(10))
    ended = scones("monitor", "watch", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "")
    assert "look 1: 200 new pictures, 200 seen" in ended.stderr
    assert "accuracy, estimated" in ended.stderr
    assert "nothing is new since look 1" in scones("monitor", "watch", cwd=tmp_path).stderr
    told = scones("monitor", "status", cwd=tmp_path)
    assert "1 at " in told.stdout
    assert "200 new of 200" in told.stdout
    assert "observing (as it was promoted to)" in told.stdout
    assert "nothing was found to be wrong" in told.stdout
    value = json.loads(scones("monitor", "status", "--json", cwd=tmp_path).stdout)
    assert (value["number"], value["look"]["seen"], value["standing"], value["findings"]) == (1, 200, None, [])


def test_before_anybody_looked_status_says_so(scones: Run, shop: Shop, tmp_path: Path) -> None:
    assert "nobody has looked at endpoint scones yet" in scones("monitor", "status", cwd=tmp_path).stdout
    assert json.loads(scones("monitor", "status", "--json", cwd=tmp_path).stdout)["look"] is None


def test_a_drift_is_told_once_and_taken_down_by_a_person(scones: Run, shop: Shop, tmp_path: Path) -> None:
    shop.capture(100, start=ago(30))
    shop.capture(100, start=ago(20), drifted=True)
    ended = scones("monitor", "watch", cwd=tmp_path)
    assert "ALARM at " in ended.stderr
    assert "drift: scones: the model does not know these pictures" in ended.stderr
    shop.capture(20, start=ago(10), drifted=True)
    again = scones("monitor", "watch", cwd=tmp_path)
    assert "ALARM at " in again.stderr
    assert "drift: scones: the model does not know these pictures" not in again.stderr
    assert "would be cautious" in again.stderr  # two looks in a row found harm
    assert in_force(shop.bucket, ENDPOINT) is None
    assert "the monitor would" in scones("monitor", "status", cwd=tmp_path).stdout
    reset = scones("monitor", "reset", "--why", "a new camera", "--who", "Ada", cwd=tmp_path)
    assert reset.stdout == "look 3: begun anew by Ada: a new camera\n"
    number, look = newest_look(shop.bucket, ENDPOINT)
    assert look is not None
    assert (number, look.alarm, look.seen, look.totals.records) == (3, None, 0, 220)
    shop.capture(50, start=ago(5), drifted=True)
    assert "ALARM at " in scones("monitor", "watch", cwd=tmp_path).stderr


def test_what_was_never_watched_cannot_be_begun_anew(scones: Run, shop: Shop, tmp_path: Path) -> None:
    ended = scones("monitor", "reset", "--why", "x", cwd=tmp_path)
    assert ended.returncode == errors.ObjectMissing.exit_code
    assert "is not watched yet" in ended.stderr


def test_with_act_the_endpoint_is_run_otherwise(scones: Run, shop: Shop, tmp_path: Path) -> None:
    for minute in (30, 20):
        shop.capture(60, start=ago(minute), drifted=True)
        ended = scones("monitor", "watch", "--act", "--json", cwd=tmp_path)
    (line,) = lines(ended.stdout)
    assert (line["standing"]["stance"], line["standing"]["dry_run"], line["standing"]["look"]) == ("cautious", False, 2)
    assert line["findings"][0]["level"] == "harm"
    standing = in_force(shop.bucket, ENDPOINT)
    assert standing is not None
    assert standing.threshold == 0.99


def test_a_backlog_is_caught_up_with_in_one_go_a_line_a_look(scones: Run, shop: Shop, tmp_path: Path) -> None:
    records = shop.answer(60, start=ago(60))
    shop.write(records)
    of_another = replace(records[0], picture=None, attributes={"model_version": "another"})
    shop.write([replace(of_another, event_id=f"other-{number}") for number in range(2_500)], name="v")
    ended = scones("monitor", "watch", "--json", "--pictures", "0.5", cwd=tmp_path)
    first, second = lines(ended.stdout)
    assert (first["look"]["records"], first["more"]) == (2_000, True)
    assert (second["look"]["records"], second["more"]) == (560, False)
    assert second["look"]["totals"]["records"] == 2_560
    assert second["look"]["note"].startswith("no new answer is of model tiny-1")
    assert 15 < first["look"]["pictures"] < 45


def test_a_watch_goes_on_until_it_is_told_to_end(
    start_scones: Start, shop: Shop, tmp_path: Path, wait_until: Wait
) -> None:
    shop.capture(10, start=ago(10))
    child = start_scones("monitor", "watch", "--every", "0.1", "--json", cwd=tmp_path)
    wait_until(lambda: newest_look(shop.bucket, ENDPOINT)[0] == 1)
    shop.capture(10, start=ago(5))
    wait_until(lambda: newest_look(shop.bucket, ENDPOINT)[0] == 2)
    child.send_signal(signal.SIGTERM)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0
    assert "stopped; the next watch goes on where this one ended" in err
    assert [line["look"]["records"] for line in lines(out)] == [10, 10]


def test_a_watch_that_was_killed_goes_on_where_it_was(
    start_scones: Start, scones: Run, shop: Shop, tmp_path: Path, wait_until: Wait
) -> None:
    shop.capture(10, start=ago(10))
    child = start_scones("monitor", "watch", "--every", "0.1", cwd=tmp_path)
    wait_until(lambda: newest_look(shop.bucket, ENDPOINT)[0] == 1)
    child.kill()
    child.communicate(timeout=60)
    shop.capture(10, start=ago(5))
    (line,) = lines(scones("monitor", "watch", "--json", cwd=tmp_path).stdout)
    assert (line["look"]["records"], line["look"]["totals"]["records"]) == (10, 20)


def test_a_look_that_fails_is_told_and_the_next_one_is_taken(
    start_scones: Start, shop: Shop, tmp_path: Path, wait_until: Wait
) -> None:
    shop.capture(10, start=ago(10))
    key = Layout.record(Layout.policy_series("vehicles"), 1)
    policy = shop.bucket.get(key)
    shop.bucket.delete(key)
    child = start_scones("monitor", "watch", "--every", "0.1", cwd=tmp_path)
    assert child.stderr
    assert (
        "this look failed, the next one is due: no model of task vehicles is in production" in child.stderr.readline()
    )
    shop.bucket.put(key, policy)
    wait_until(lambda: newest_look(shop.bucket, ENDPOINT)[0] == 1)


def test_a_watch_ends_after_its_time_and_after_its_looks(scones: Run, shop: Shop, tmp_path: Path) -> None:
    shop.capture(10, start=ago(10))
    assert scones("monitor", "watch", "--every", "0.1", "--looks", "3", cwd=tmp_path).returncode == 0
    assert scones("monitor", "watch", "--every", "30", "--for", "1", cwd=tmp_path).returncode == 0


def test_without_a_model_in_production_a_single_look_fails(scones: Run, tmp_path: Path) -> None:
    ended = scones("monitor", "watch", cwd=tmp_path)
    assert ended.returncode == errors.BundleError.exit_code
    assert "no model of task vehicles is in production" in ended.stderr


def test_figures_for_prometheus_are_written_whole(scones: Run, shop: Shop, tmp_path: Path) -> None:
    shop.capture(20, start=ago(10))
    file = tmp_path / "collector/scones.prom"
    assert scones("monitor", "watch", "--metrics", str(file), cwd=tmp_path).returncode == 0
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(file.read_text())
        for sample in family.samples
    }
    assert samples["scones_watch_records_total"] == 20
    assert [path.name for path in file.parent.iterdir()] == ["scones.prom"]
    ended = scones("monitor", "watch", "--metrics", str(tmp_path), cwd=tmp_path)
    assert ended.returncode == errors.StoreError.exit_code
    assert "choose another file with --metrics" in ended.stderr


def test_figures_for_cloudwatch_are_a_line_of_the_log_for_each_look(scones: Run, shop: Shop, tmp_path: Path) -> None:
    shop.capture(20, start=ago(10))
    ended = scones("monitor", "watch", "--embedded", "scones-prod", cwd=tmp_path)
    (line,) = lines(ended.stdout)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], line["Endpoint"], line["Records"]) == ("scones-prod", ENDPOINT, 20)
    assert "look 1: 20 new pictures" in ended.stderr
    assert scones("monitor", "watch", "--embedded", "scones-prod", cwd=tmp_path).stdout == "", "nothing is new"
    for more, told in ((["x", "--json"], "choose one of them"), ([" "], "name the namespace")):
        refused = scones("monitor", "watch", "--embedded", *more, cwd=tmp_path)
        assert refused.returncode == errors.SettingsError.exit_code
        assert told in refused.stderr


def test_pictures_are_declared_healthy_and_the_watch_begins_anew(scones: Run, shop: Shop, tmp_path: Path) -> None:
    shop.capture(150, start=ago(30), drifted=True)
    assert "ALARM at " in scones("monitor", "watch", cwd=tmp_path).stderr
    command = ("monitor", "baseline", "--why", "a new camera", "--who", "Ada")
    dry = json.loads(scones(*command, "--dry-run", "--json", cwd=tmp_path).stdout)
    assert (dry["taken"], dry["look"], dry["baseline"]["pictures"], dry["baseline"]["who"]) == (False, None, 150, "Ada")
    assert "ALARM at " in scones("monitor", "status", cwd=tmp_path).stdout
    told = scones(*command, cwd=tmp_path)
    assert (told.returncode, told.stdout) == (0, "")
    assert "model tiny-1 is from now on compared with 150 captured pictures" in told.stderr
    assert "the watch began anew: look 2" in told.stderr
    status = scones("monitor", "status", cwd=tmp_path).stdout
    assert "ALARM at " not in status
    assert "by Ada: a new camera" in status
    assert "compared with" in status
    shop.capture(60, start=ago(5), drifted=True)
    assert "ALARM at " not in scones("monitor", "watch", cwd=tmp_path).stderr


def test_a_baseline_without_a_reason_or_pictures_or_a_model_is_refused(scones: Run, shop: Shop, tmp_path: Path) -> None:
    for options, error, said in (
        (["--why", " "], errors.SettingsError, "--why is empty"),
        (["--why", "x"], errors.MonitorError, "captured 0 pictures that model tiny-1 answered"),
        (["--why", "x", "--since", "yesterday"], None, "does not match the formats"),
        (["--why", "x", "--store", "elsewhere"], errors.BundleError, "no model of task vehicles is in production"),
    ):
        ended = scones("monitor", "baseline", *options, cwd=tmp_path)
        assert ended.returncode == (2 if error is None else error.exit_code), ended.stderr
        assert said in ended.stderr


def test_an_endpoint_that_captures_nothing_is_told_of(scones: Run, shop: Shop, tmp_path: Path) -> None:
    shop.capture(10, start=ago(100))
    ended = scones("monitor", "watch", cwd=tmp_path)
    assert "drift: scones: nothing is captured" in ended.stderr
    quiet = scones("monitor", "watch", cwd=tmp_path, SCONES_MONITOR_GAP="0")
    assert "nothing is captured" not in quiet.stderr
