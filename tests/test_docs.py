"""The documentation and the code say the same."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import scones.errors
from scones.cli import VERBS
from scones.settings import Settings

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs/reference.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def section(title: str) -> str:
    text = REFERENCE.read_text()
    start = text.index(f"\n## {title}\n")
    return text[start : text.find("\n## ", start + 1)]


def test_every_setting_is_documented_and_the_other_way_round() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", section("Settings"), re.M)) == set(Settings.model_fields)


def test_every_key_of_a_task_file_is_documented_and_the_other_way_round() -> None:
    from scones.task import Task

    assert set(re.findall(r"^\| `\[?(\w+)\]?` \|", section("The task file"), re.M)) == set(Task.model_fields)


def test_every_error_is_documented_with_its_exit_code_and_the_other_way_round() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", section("Errors and exit codes"), re.M)
    assert {(int(code), name) for code, name in rows} == {
        (getattr(scones.errors, name).exit_code, name) for name in scones.errors.__all__
    }


def test_every_verb_is_documented_and_the_other_way_round() -> None:
    assert set(re.findall(r"^\| `scones ([\w-]+)", section("Verbs"), re.M)) == set(VERBS)


@pytest.mark.parametrize("path", sorted(ROOT.glob("benchmarks/*.py")), ids=lambda path: path.stem)
def test_a_benchmark_finds_all_that_it_imports(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(path.parent)
    runpy.run_path(str(path), run_name="imported")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_links_in_a_page_exist(page: Path) -> None:
    text = page.read_text()
    for verb in re.findall(r"^\s*(?:\$ )?scones ([a-z-]+)", text, re.M):
        assert verb in VERBS, verb
    targets = re.findall(r"\bmake (?:-s )?([a-z]+(?:-[a-z]+)?)\b", " ".join(re.findall(r"`([^`]+)`", text)))
    makefile = (ROOT / "Makefile").read_text()
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.M) or (ROOT / f"benchmarks/{target[6:]}.py").is_file(), target
    for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
        assert (page.parent / link).exists(), link


def test_importing_scones_loads_no_room() -> None:
    code = "import sys, scones; print(*(m for m in sys.modules if m.startswith('scones')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) == {"scones", "scones._lazy"}


def test_the_public_names_are_there() -> None:
    import scones

    for name in scones.__all__:
        assert getattr(scones, name) is not None


def test_every_module_stays_a_readable_size() -> None:
    long = {str(path): n for path in ROOT.glob("src/**/*.py") if (n := len(path.read_text().splitlines())) > 400}
    assert not long


def test_the_walkthrough_of_the_engine_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/workflow.md").read_text(), re.S)
    script = tmp_path / "walkthrough.py"
    script.write_text("\n".join(blocks))
    done = subprocess.run([sys.executable, script], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "SUCCEEDED {'text': 'Hello, Ada'}"
    assert lines[-2:] == ["{'granted': True}", "[5, 3]"]
