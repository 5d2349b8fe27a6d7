"""`scones generate` as a person meets it: what it sends, what it refuses, what it shows beside `scones run --watch`."""

from __future__ import annotations

import io
import itertools
import json
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from rich.console import Console

from scones import errors
from scones.bundle import read_bundle
from scones.cli._traffic import traffic_line, traffic_table
from scones.dispatch import add_orders, sample_orders
from scones.registry import register
from scones.staging import SourcePicture, write_dataset
from scones.store import open_bucket
from scones.task import load_task
from scones.workflow.engine import Journal
from scones.workflow.schedule import Schedule
from scones.workflow.tally import Figures, Right, Spread, Tally
from scones.workflow.traffic import parse_damage

Run: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]
Start: TypeAlias = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def shop(tmp_path: Path, tiny_bundle: Callable[..., bytes], red_and_blue: Callable[[], list[SourcePicture]]) -> Path:
    """A folder with pictures, a model in production, and orders."""
    bucket, task = open_bucket(str(tmp_path / ".scones/store"), "scones"), load_task("vehicles")
    dataset = write_dataset(bucket, task, red_and_blue(), source={"kind": "test"})
    info, model = read_bundle(tiny_bundle(dataset=dataset.version))
    register(bucket, info, model, who="Ada", now=datetime(2026, 11, 20, tzinfo=UTC))
    add_orders(bucket, "main", sample_orders(200, seed=1))
    return tmp_path


def files(shop: Path) -> list[bytes]:
    """What arrived, in the order of sending."""
    found = (shop / ".scones/store/scones/arrivals").rglob("*.*")
    return [path.read_bytes() for path in sorted(found, key=lambda path: path.name[-9:])]


def test_one_arrival_is_sent_when_nothing_is_said(scones: Run, shop: Path) -> None:
    shown = scones("generate", cwd=shop)
    assert shown.returncode == 0, shown.stderr
    assert "sent 1 arrival in" in shown.stderr
    assert "now `scones run`" in shown.stderr
    assert len(files(shop)) == 1


def test_the_json_says_what_was_sent_how_fast_and_how_late(scones: Run, shop: Path) -> None:
    words = ("--rate", "40", "--duration", "1", "--burst", "5", "--every", "0.5", "--garbage-share", "0.2")
    shown = scones("generate", *words, "--duplicate-share", "0.2", "--corrupt", "blur:2", "--json", cwd=shop)
    assert shown.returncode == 0, shown.stderr
    told = json.loads(shown.stdout)
    assert (told["scheduled"], told["sent"], told["task"], told["seed"]) == (50, 50, "vehicles", 0)
    assert len(told["arrivals"]) == len(set(told["arrivals"])) == len(files(shop)) == 50 - told["again"]
    assert sum(told["kinds"].values()) == 50 - told["again"]
    assert set(told["kinds"]) == {"corrupted", "garbage"}, "all pictures, where no share is given"
    assert told["asked_per_second"] == pytest.approx(50, rel=0.05)
    assert told["late"]["n"] == 50
    assert "outcomes" not in told


def test_the_same_seed_sends_the_same_and_two_calls_never_collide(scones: Run, shop: Path) -> None:
    words = ("-n", "30", "--mix", "bicycle=3,motorcycle=1", "--corrupt-share", "0.5", "--garbage-share", "0.2")
    told = [json.loads(scones("generate", *words, "--seed", "7", "--json", cwd=shop).stdout) for _ in range(2)]
    assert not set(told[0]["arrivals"]) & set(told[1]["arrivals"])
    sent = files(shop)
    assert len(sent) == 60
    assert sent[0::2] == sent[1::2]


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("--rate", "5"), "SettingsError", "--duration"),
        (("--burst", "5"), "SettingsError", "--every"),
        (("--mix", "scooter=1"), "SettingsError", "bicycle, motorcycle"),
        (("--corrupt", "fog"), "SettingsError", "blur"),
        (("--follow",), "JournalError", "scones run --watch"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    scones: Run, shop: Path, words: tuple[str, ...], error: str, said: str
) -> None:
    shown = scones("generate", *words, cwd=shop)
    assert shown.returncode == getattr(errors, error).exit_code, shown.stderr
    [line] = [line for line in shown.stderr.splitlines() if line.startswith("scones: ")]
    assert said in line
    assert files(shop) == []


def test_follow_shows_what_becomes_of_arrivals_that_another_process_works(
    scones: Run, start_scones: Start, wait_until: Callable[..., None], shop: Path
) -> None:
    server = start_scones("serve", "--json", "--port", "0", cwd=shop)
    assert server.stdout
    url = json.loads(server.stdout.readline())["url"]
    worker = start_scones("run", "--watch", "--endpoint-url", url, cwd=shop)
    wait_until(lambda: (shop / ".scones/journal.sqlite").is_file() or worker.poll() is not None)
    wait_until(lambda: scones("executions", "--json", cwd=shop).returncode == 0 or worker.poll() is not None)
    assert worker.poll() is None, worker.communicate()

    words = ("-n", "40", "--rate", "40", "--garbage-share", "0.2", "--duplicate-share", "0.1", "--follow")
    shown = scones("generate", *words, "--json", cwd=shop)
    assert shown.returncode == 0, shown.stderr
    told = json.loads(shown.stdout)
    assert told["ended"] == told["sent"] - told["again"] == len(told["arrivals"])
    assert told["unended"] == 0
    assert told["outcomes"]["failed"] == told["garbage_failed"] == told["kinds"]["garbage"] > 0
    assert sum(told["outcomes"].values()) == told["ended"]
    assert 0.8 < told["decided"]["share"] <= 1
    assert told["decided"]["n"] + told["unsure"]["n"] == told["kinds"]["plain"]
    assert 0 < told["latency"]["p50"] <= told["latency"]["p99"] <= told["latency"]["most"] < 60

    table = scones("generate", "-n", "3", "--follow", cwd=shop)
    assert table.returncode == 0
    assert "3 of 3" in table.stderr
    assert "latency" in table.stderr
    assert table.stdout == ""

    worker.terminate()
    worker.wait(60)
    lost = scones("generate", "--follow", "--timeout", "0.1", "--json", cwd=shop)
    assert lost.returncode == errors.WorkflowError.exit_code
    assert json.loads(lost.stdout)["unended"] == 1, "the figures are told all the same"
    assert "1 of 1 arrivals have not ended 0.1 s after the last was sent" in lost.stderr


@pytest.mark.parametrize("more", [(), ("--follow",)])
def test_ctrl_c_ends_a_stream_and_the_figures_are_told(
    start_scones: Start, wait_until: Callable[..., None], shop: Path, more: tuple[str, ...]
) -> None:
    Journal(shop / ".scones/journal.sqlite").close()
    child = start_scones("generate", "--rate", "0.1", "--duration", "1000", "--json", *more, cwd=shop)
    wait_until(lambda: files(shop) or child.poll() is not None)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert [json.loads(out)[name] for name in ("scheduled", "sent")] == [100, 1]


def test_every_field_of_the_summary_and_every_corruption_is_documented_and_the_other_way_round() -> None:
    docs = Path(__file__).parents[2] / "docs"
    text = (docs / "reference.md").read_text()
    text = text[text.index("## The summary of `scones generate`") : text.index("## The endpoint")]
    rows = [re.findall(r"`(\w+)`", row) for row in re.findall(r"^\| (`.*?) \|", text, re.M)]
    told = {"run", "task", "depot", "dataset", "seed", "arrivals", "seconds", *FIGURES.to_json(followed=True)}
    assert sorted(itertools.chain(*rows)) == sorted(told)
    names = {damage.name.split(":")[0] for damage in parse_damage(None)}
    [listed] = re.findall(r"Names: (.*) \|", (docs / "generate.md").read_text())
    assert set(re.findall(r"`(.*?)`", listed)) == names


FIGURES = Figures(
    seconds=42.0,
    total=1300,
    due=1213,
    sent=1210,
    again=58,
    kinds={"plain": 1040, "corrupted": 81, "garbage": 31},
    asked_rate=28.9,
    sent_rate=28.61,
    ended_rate=27.9,
    late=Spread(0.0004, 0.003, 0.011, 0.12, 1210),
    outcomes={"failed": 33, "review": 98, "routed": 880, "wait": 122},
    garbage_failed=31,
    running=8,
    waiting=11,
    right={
        ("routed", "plain"): Right(801, 812),
        ("routed", "corrupted"): Right(59, 68),
        ("wait", "plain"): Right(122, 122),
        ("review", "plain"): Right(49, 98),
    },
    latency=Spread(0.41, 0.98, 1.734, 12.4, 1133),
    idle=0.0,
    history=[(number % 9, number // 3) for number in range(30)],
)


def drawn(figures: Figures, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(traffic_table(figures, "arrivals"))
    text: Any = console.file
    return [" ".join(line.split()) for line in str(text.getvalue()).splitlines()]


def test_the_table_fits_a_narrow_terminal_and_says_it_all() -> None:
    lines = drawn(FIGURES)
    assert len(lines) == 14, "no row is broken"
    assert "1,210 of 1,300" in lines[1]
    assert "28.6/s of 28.9/s asked" in lines[1]
    assert "0 ms median; at most 120 ms; 3 due" in lines[2]
    assert "58 duplicates" in lines[3]
    assert "1,133" in lines[4]
    assert [line.split()[1] for line in lines[5:9]] == ["routed", "wait", "review", "failed"]
    assert "77.7 %, 97.7 % right" in lines[5]
    assert "the guess 50.0 % right" in lines[7]
    assert "31 no pictures, 2 others" in lines[8]
    assert "19 8 run, 11 wait to start" in lines[9]
    assert "1,040 98.8 % right of 934 decided" in lines[10]
    assert "81 86.8 % right of 68 decided" in lines[11]
    assert "410 ms written to ended median; p90 980 ms, p99 1.73 s" in lines[12]


def test_a_line_says_it_where_no_terminal_is() -> None:
    assert traffic_line(FIGURES) == (
        "sent 1,210 of 1,300; 28.6/s of 28.9/s asked; 3 are due; "
        "ended 1,133 (33 failed, 98 review, 880 routed, 122 wait); 8 run, 11 wait to start; "
        "latency p50 410 ms, p90 980 ms, p99 1.73 s"
    )


def test_a_person_is_asked_whether_anything_works_when_nothing_ends() -> None:
    quiet = replace(FIGURES, idle=23.4)
    assert "nothing has ended for 23 s: does `scones run --watch` work" in " ".join(drawn(quiet))
    assert "nothing has ended for 23 s" in traffic_line(quiet)


def test_a_table_can_be_drawn_before_anything_was_sent() -> None:
    lines = drawn(Tally(Schedule(count=3).dues(), 3, 0.0).figures(0.0))
    assert "0 of 3" in lines[1]
