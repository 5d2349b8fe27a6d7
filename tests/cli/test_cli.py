"""The command line as a person meets it: help, errors in one line, exit codes, and the journey step by step."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from scones import __version__ as scones_version
from scones import errors
from scones.cli import command_line

VERBS = sorted(command.name for command in command_line().registered_commands if command.name)


Run: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("verb", [*VERBS, "monitor report"])
def test_every_verb_explains_itself_and_has_json(scones: Run, verb: str, tmp_path: Path) -> None:
    shown = scones(*verb.split(), "--help", cwd=tmp_path)
    assert shown.returncode == 0
    assert len(shown.stdout) > 200
    assert "--json" in shown.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("stage", "--archive", "missing.tar.gz"), "SourceMissing", "missing.tar.gz"),
        (("stage", "--archive", "cut.tar.gz"), "ArchiveCorrupt", "cut.tar.gz"),
        (("stage", "--folder", "empty"), "SourceEmpty", "empty"),
        (("stage", "--source", "synthetic", "--task", "scooters"), "TaskError", "scooters"),
        (("train",), "ObjectMissing", "scones stage"),
        (("evaluate",), "BundleError", "scones train"),
        (("promote",), "BundleError", "scones train"),
        (("promote", "--force"), "SettingsError", "say why with --why"),
        (("rollback",), "PromotionRefused", "nothing to go back to"),
        (("serve",), "BundleError", "scones train"),
        (("serve", "--model", "text.png"), "BundleError", "text.png"),
        (("run",), "EndpointBusy", "scones serve"),
        (("executions",), "ExecutionMissing|JournalError", "journal"),
        (("orders", "--add", "text.png"), "DispatchError", "text.png line 1"),
        (("demo", "--archive", "missing.tar.gz"), "SourceMissing", "missing.tar.gz"),
        (("stage", "--source", "synthetic", "--store", "text.png"), "StoreError|StoreReadOnly", "choose another place"),
        (
            ("stage", "--source", "synthetic", "--store", "/proc/none"),
            "StoreError|StoreReadOnly",
            "choose another place",
        ),
    ],
)
def test_bad_input_gives_one_line_and_its_own_exit_code(
    scones: Run, words: tuple[str, ...], code: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "cut.tar.gz").write_bytes(b"\x1f\x8b\x08\x00" + b"\0" * 100)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("hello\n")
    environ = {"AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": "http://127.0.0.1:9"} if words[0] == "run" else {}
    shown = scones(*words, cwd=tmp_path, **environ)
    codes = {getattr(errors, name).exit_code for name in code.split("|")}
    assert shown.returncode in codes, shown.stderr
    assert shown.stdout == ""
    lines = [line for line in shown.stderr.splitlines() if line.startswith("scones: ")]
    assert len(lines) == 1
    assert said in lines[0]
    assert "Traceback" not in shown.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"), [(("--help", "serve"), 0, "Run the whole journey"), (("serv",), 2, "'serve'")]
)
def test_all_verbs_are_known_where_none_is_asked_for(
    scones: Run, words: tuple[str, ...], code: int, said: str, tmp_path: Path
) -> None:
    shown = scones(*words, cwd=tmp_path)
    assert shown.returncode == code
    assert said in shown.stdout + shown.stderr


def test_debug_shows_the_traceback_and_keeps_the_exit_code(scones: Run, tmp_path: Path) -> None:
    shown = scones("--debug", "train", cwd=tmp_path)
    assert "Traceback" in shown.stderr
    assert shown.returncode == errors.ObjectMissing.exit_code


def test_a_port_in_use_is_named(scones: Run, tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        shown = scones("serve", "--port", port, cwd=tmp_path)
    assert shown.returncode == errors.PortInUse.exit_code
    assert f"port {port}" in shown.stderr


def test_every_error_has_an_exit_code_of_its_own_and_stands_in_the_tree() -> None:
    classes = [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.SconesError)
    ]
    assert len({cls.exit_code for cls in classes}) == len(classes)
    assert sorted(cls.__name__ for cls in classes) == sorted(errors.__all__)
    for cls in classes:
        assert re.search(rf"{cls.__name__}\s+{cls.exit_code}\b", errors.__doc__ or ""), cls


def test_help_is_quick_because_it_loads_no_room() -> None:
    code = "import sys; from scones.cli import command_line; command_line(); print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"numpy", "scipy", "onnx", "onnxruntime", "botocore", "bokeh", "PIL", "obstore", "uvicorn"}


@pytest.fixture(scope="module")
def shop(scones: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with staged pictures and a trained model."""
    folder = tmp_path_factory.mktemp("shop")
    for words in (("stage", "--source", "synthetic"), ("train",), ("orders", "--sample", "40")):
        shown = scones(*words, "--json", cwd=folder)
        assert shown.returncode == 0, shown.stderr
        json.loads(shown.stdout)
    return folder


@pytest.fixture(scope="module")
def endpoint(shop: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "scones", "serve", "--json", "--port", "0"]
    with subprocess.Popen(command, cwd=shop, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        yield json.loads(child.stdout.readline())["url"]
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=30) == 0


def test_the_journey_step_by_step(scones: Run, shop: Path, endpoint: str) -> None:
    figures = json.loads(scones("evaluate", "--json", cwd=shop).stdout)
    assert figures["n"] == 200
    assert Path(figures["report"]).is_file()

    sent = json.loads(scones("generate", "-n", "12", "--json", cwd=shop).stdout)
    assert len(sent["arrivals"]) == 12
    worked = json.loads(scones("run", "--endpoint-url", endpoint, "--json", cwd=shop).stdout)
    assert worked["executions"] == sum(worked["outcomes"].values()) == 12
    again = json.loads(scones("run", "--endpoint-url", endpoint, "--json", cwd=shop).stdout)
    assert (again["executions"], again["worked_before"]) == (0, 12), "nothing is worked twice"

    listed = json.loads(scones("executions", "--machine", "classify", "--json", cwd=shop).stdout)
    assert len(listed) == 12
    one = json.loads(scones("executions", listed[0]["name"], "--json", cwd=shop).stdout)
    assert one[0]["history"][0]["type"] == "ExecutionStarted"
    assert "SerializeImage" in scones("executions", listed[0]["name"], cwd=shop).stdout

    waiting = json.loads(scones("reviews", "--json", cwd=shop).stdout)
    assert len(waiting) == worked["outcomes"].get("review", 0)
    left = json.loads(scones("orders", "--json", cwd=shop).stdout)
    assert len(left) == 40 - len(list((shop / ".scones/store/scones/order-claims").rglob("*.json")))


def test_training_says_whether_the_model_is_in_production_and_what_comes_next(scones: Run, shop: Path) -> None:
    listed = json.loads(scones("models", "--json", cwd=shop).stdout)
    assert [one["aliases"] for one in listed] == [["production", "candidate"]], "the first one"
    said = " ".join(scones("train", "--seed", "1", cwd=shop).stderr.split())
    assert "the candidate now, production stays as it is; next: scones evaluate, then scones promote" in said
    after = json.loads(scones("models", "--json", cwd=shop).stdout)
    assert [one["aliases"] for one in after] == [["production"], ["candidate"]]
    assert after[1]["parent"] == listed[0]["version"]


def test_a_failed_execution_is_loud_and_is_worked_anew(scones: Run, shop: Path, endpoint: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    bad = store / "scones/arrivals/vehicles/main/driver-1/bad.png"
    bad.parent.mkdir(parents=True)
    bad.write_text("hello")
    words = ("run", "--endpoint-url", endpoint, "--store", str(store), "--journal", str(tmp_path / "j.sqlite"))
    shown = scones(*words, cwd=shop)
    assert shown.returncode == errors.WorkflowError.exit_code
    assert "bad.png is no picture" in shown.stderr
    assert len([line for line in shown.stderr.splitlines() if line.startswith("scones: ")]) == 1
    picture = next((shop / ".scones/store/scones").rglob("pictures/test/**/*.png"))
    bad.write_bytes(picture.read_bytes())
    assert scones(*words, cwd=shop).returncode == 0, "what failed before is not this run's failure"
    anew = json.loads(scones(*words, "--retry-failed", "--json", cwd=shop).stdout)
    assert anew["executions"] == 1


def test_a_run_that_was_killed_goes_on_where_it_was(
    scones: Run,
    start_scones: Callable[..., subprocess.Popen[str]],
    wait_until: Callable[..., None],
    shop: Path,
    endpoint: str,
    tmp_path: Path,
) -> None:
    store = tmp_path / "store"
    pictures = list((shop / ".scones/store/scones").rglob("pictures/test/**/*.png"))[:40]
    for number, picture in enumerate(pictures):
        arrival = store / f"scones/arrivals/vehicles/main/driver-{number}/a{number}.png"
        arrival.parent.mkdir(parents=True)
        arrival.write_bytes(picture.read_bytes())
    common = ("--store", str(store), "--journal", str(tmp_path / "j.sqlite"))
    assert scones("orders", "--sample", "90", "--store", str(store), cwd=shop).returncode == 0
    words = ("run", "--endpoint-url", endpoint, *common)
    child = start_scones(*words, cwd=shop)
    claims = store / "scones/order-claims"
    wait_until(lambda: len(list(claims.rglob("*.json"))) >= 5 or child.poll() is not None)
    child.kill()
    child.wait()
    shown = json.loads(scones(*words, "--json", cwd=shop).stdout)
    assert shown["executions"] + shown["worked_before"] == 40
    assert set(shown["outcomes"]) <= {"routed", "wait", "review"}
    claimed = [json.loads(path.read_text())["arrival"] for path in claims.rglob("*.json")]
    routes = [json.loads(path.read_text()) for path in (store / "scones/routes").rglob("*.json")]
    assert len(claimed) == len(set(claimed)) == sum(route["outcome"] == "routed" for route in routes)
    assert len(routes) + len(list((store / "scones/reviews").rglob("*.json"))) == 40


def test_monitor_report_reads_what_the_endpoint_captured(
    scones: Run, wait_until: Callable[..., None], shop: Path, endpoint: str
) -> None:
    import urllib.request

    picture = next((shop / ".scones/store/scones").rglob("pictures/test/**/*.png")).read_bytes()
    request = urllib.request.Request(f"{endpoint}/invocations", picture, {"Content-Type": "image/png"})
    assert len(json.load(urllib.request.urlopen(request, timeout=10))) == 2
    figures: dict[str, Any] = {}

    def report() -> int:  # the writer's own interval passes
        figures.update(json.loads(scones("monitor", "report", "--json", cwd=shop).stdout))
        return int(figures["records"])

    wait_until(report)
    assert "<html" in Path(figures["report"]).read_text()


def test_the_version_is_told_without_a_verb(scones: Run, tmp_path: Path) -> None:
    told = scones("--version", cwd=tmp_path)
    assert (told.returncode, told.stdout.strip()) == (0, scones_version)
