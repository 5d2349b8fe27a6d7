"""A model on its way into production: measured beside the one that is there, on real pictures."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from scones.bundle import read_bundle
from scones.classifier import Classifier
from scones.errors import BundleError, PromotionRefused
from scones.registry import consider, current_policy, find_rollback, history, promote, register, roll_back, save_model
from scones.registry.aliases import point
from scones.registry.promotion import Considered
from scones.staging import Dataset, SourcePicture, load_dataset, write_dataset
from scones.store import Bucket, Layout, open_bucket
from scones.task import Task, load_task
from scones.training.evaluation import measure
from scones.training.predictions import predict_lines

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
Draw: TypeAlias = Callable[[], list[SourcePicture]]
GOOD, TOO_SURE, WRONG = 3.2, 8.0, -8.0


@dataclass(frozen=True)
class Shop:
    """A bucket with a dataset, where models are registered with the figures that the gates ask for."""

    bucket: Bucket
    task: Task
    dataset: Dataset
    bundle: Callable[..., bytes]

    def add(self, version: str, strength: float = GOOD, *, origin: str = "fitted", **kind: Any) -> None:
        kind |= {"version": version, "strength": strength, "origin": origin, "dataset": self.dataset.version}
        info, model = read_bundle(self.bundle(**kind))
        register(self.bucket, info, model, who="a test", now=NOW)
        lines = [line for line in self.dataset.lines if line.split == "test"]
        answers = predict_lines(Classifier(info, model), self.dataset, lines)
        truth = np.array([line.label_index for line in lines])
        figures = measure(info, answers, truth, [line.source_ref for line in lines])
        known = {**figures, "dataset": {"version": self.dataset.version}}
        self.bucket.put_json(f"{Layout.model(info.task, version)}/evaluation.json", known)

    def consider(self, ref: str = "candidate") -> Considered:
        return consider(self.bucket, self.task, ref)

    def promote(self, found: Considered, *, why: str = "better", force: bool = False) -> int | None:
        return promote(self.bucket, found, who="Ada", why=why, now=NOW, force=force)

    @property
    def production(self) -> str:
        return current_policy(self.bucket, self.task.name).version


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory, red_and_blue: Draw) -> Path:
    folder = tmp_path_factory.mktemp("staged")
    write_dataset(open_bucket(str(folder), "scones"), load_task("vehicles"), red_and_blue(), source={"kind": "test"})
    return folder


@pytest.fixture
def shop(staged: Path, tmp_path: Path, tiny_bundle: Callable[..., bytes]) -> Shop:
    """Model "old" is in production."""
    shutil.copytree(staged, tmp_path / "store")
    bucket, task = open_bucket(str(tmp_path / "store"), "scones"), load_task("vehicles")
    made = Shop(bucket, task, load_dataset(bucket, task.name), tiny_bundle)
    made.add("old")
    return made


def test_a_model_that_is_as_good_goes_into_production_and_the_record_says_why(shop: Shop) -> None:
    shop.add("new")
    found = shop.consider()
    assert {gate.name: gate.verdict for gate in found.gates} == {
        "same question": "passed",
        "promise": "passed",
        "not worse": "passed",
        "decides alone": "passed",
        "fair comparison": "passed",
        "calibrated": "passed",
        "risk": "warning",  # it decides too few pictures alone to say
    }
    assert found.evaluation is None, "it was evaluated before"
    assert shop.promote(found) == 2
    policy = current_policy(shop.bucket, "vehicles")
    assert (policy.version, policy.who, policy.why, policy.forced) == ("new", "Ada", "better", False)
    assert any(said.startswith("passed: not worse: accuracy 90.0% against 90.0%") for said in policy.gates)


def test_all_gates_that_refuse_a_model_say_so_at_once_with_their_figures(shop: Shop) -> None:
    shop.add("new", WRONG, origin="default")
    found = shop.consider()
    with pytest.raises(PromotionRefused) as refused:
        shop.promote(found)
    for said in (
        "promise: production's threshold promises a risk",
        "not worse: accuracy 10.0% against 90.0% of production on the same 120 test pictures, -80.0 points",
        "calibrated: calibration error 0.8",
        "risk: 108 of the 120 test pictures that it decides alone at threshold 0.9000 are wrong; the target is 5.0%",
        "`scones promote new --force --why TEXT`",
    ):
        assert said in str(refused.value)
    assert shop.production == "old"


def test_a_gate_is_overridden_on_record(shop: Shop) -> None:
    shop.add("new", TOO_SURE)
    found = shop.consider()
    assert [gate.name for gate in found.refused] == ["calibrated", "risk"]
    shop.promote(found, why="the old one is worse at night", force=True)
    policy = current_policy(shop.bucket, "vehicles")
    assert (policy.version, policy.why, policy.forced) == ("new", "the old one is worse at night", True)
    assert sum(said.startswith("refused: ") for said in policy.gates) == 2


def test_a_model_that_is_there_already_is_not_put_there_again(shop: Shop) -> None:
    found = shop.consider("old")
    assert (found.is_there, found.gates) == (True, ())
    assert shop.promote(found) is None
    assert len(history(shop.bucket, "vehicles")) == 1


def test_other_labels_are_refused_without_a_comparison(shop: Shop) -> None:
    shop.add("new", labels=("motorcycle", "bicycle"))
    gates = {gate.name: gate for gate in shop.consider().gates}
    assert gates["same question"].verdict == "refused"
    assert "not worse" not in gates


def test_figures_of_other_pictures_do_not_count_and_are_measured_anew(shop: Shop, red_and_blue: Draw) -> None:
    few = write_dataset(shop.bucket, shop.task, red_and_blue()[100:], source={"kind": "test"})
    shop.add("new")
    key = "models/vehicles/new/evaluation.json"
    figures = shop.bucket.get_json(key)
    info, model = read_bundle(shop.bundle(version="new"))
    save_model(shop.bucket, info.model_copy(update={"dataset": few.version}), model)
    found = shop.consider()
    assert found.evaluation is not None
    assert (found.evaluation["n"], found.evaluation["dataset"]["version"]) == (20, few.version)
    assert {gate.figures["n"] for gate in found.gates if "n" in gate.figures} == {20}
    assert shop.bucket.get_json(key) == figures, "considering writes nothing"


def test_a_production_model_that_knows_the_test_pictures_is_told(shop: Shop, red_and_blue: Draw) -> None:
    theirs = [
        SourcePicture(one.origin, one.label, one.data, "train" if number < 20 else one.split)
        for number, one in enumerate(red_and_blue())
    ]
    other = write_dataset(shop.bucket, shop.task, theirs, source={"kind": "test"})
    info, model = read_bundle(shop.bundle(version="knows"))
    register(shop.bucket, info.model_copy(update={"dataset": other.version}), model, who="a test", now=NOW)
    point(shop.bucket, "vehicles", "production", "knows", who="Ada", why="", now=NOW)
    shop.add("new")
    fair = next(gate for gate in shop.consider().gates if gate.name == "fair comparison")
    assert (fair.verdict, fair.figures) == ("warning", {"seen": 20, "n": 120})
    for key in list(shop.bucket.list(other.prefix)):
        shop.bucket.delete(key)
    fair = next(gate for gate in shop.consider().gates if gate.name == "fair comparison")
    assert "is gone" in fair.says


def test_what_a_person_decided_before_is_told_and_not_undone_unnoticed(shop: Shop) -> None:
    shop.add("new")
    shop.promote(shop.consider())
    roll_back(shop.bucket, find_rollback(shop.bucket, "vehicles"), who="Bob", why="alarm", now=NOW)
    point(shop.bucket, "vehicles", "production", "old", who="Bob", why="careful", now=NOW, threshold=0.97)
    gates = {gate.name: gate for gate in shop.consider().gates}
    assert "Bob went back from this very model to old" in gates["taken back"].says
    assert "the threshold 0.97 that Bob set for production (careful) ends" in gates["override"].says
    assert not shop.consider().refused


@pytest.mark.parametrize("what", ["model", "record"])
def test_without_a_model_to_compare_with_only_force_goes_on(shop: Shop, what: str) -> None:
    shop.add("new")
    damaged = {"model": "models/vehicles/old/model.tar.gz", "record": "policies/vehicles/production/00000001.json"}
    shop.bucket.put(damaged[what], b"{")
    found = shop.consider()
    with pytest.raises(PromotionRefused, match=r"nothing to compare it with, .* is damaged"):
        shop.promote(found)
    shop.promote(found, force=True)
    assert shop.production == "new"


def test_where_none_is_in_production_the_other_gates_are_asked(shop: Shop) -> None:
    shop.add("new", TOO_SURE)
    shop.bucket.delete("policies/vehicles/production/00000001.json")
    assert [gate.name for gate in shop.consider().refused] == ["calibrated", "risk"]
    assert shop.promote(shop.consider("old")) == 1


def test_a_damaged_model_or_a_dataset_that_is_gone_stops_before_anything_changes(shop: Shop) -> None:
    shop.add("new")
    packed = shop.bucket.get("models/vehicles/new/model.tar.gz")
    shop.bucket.put("models/vehicles/new/model.tar.gz", packed[:300])
    with pytest.raises(BundleError, match=r"new/model\.tar\.gz is damaged"):
        shop.consider()
    shop.bucket.put("models/vehicles/new/model.tar.gz", packed)
    for key in list(shop.bucket.list(shop.dataset.prefix)):
        shop.bucket.delete(key)
    found = shop.consider()
    gate = found.gates[-1]
    assert (gate.name, gate.verdict) == ("measured", "refused")
    assert "scones stage" in gate.says
    with pytest.raises(PromotionRefused, match="it cannot be measured"):
        shop.promote(found)
    assert shop.production == "old"
    assert shop.promote(found, why="production is broken", force=True)
    assert shop.production == "new"


def test_of_two_promotions_at_once_one_is_told_to_look_again(shop: Shop) -> None:
    shop.add("one")
    shop.add("two")
    together = threading.Barrier(2)

    def go(version: str) -> str:
        found = shop.consider(version)
        together.wait()
        try:
            shop.promote(found)
        except PromotionRefused as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(go, ("one", "two")))
    winner = shop.production
    assert winner == ("one", "two")[said.index("")]
    assert f"production of task vehicles changed meanwhile from old to {winner} (Ada" in "".join(said)
    assert "run this again" in "".join(said)
    assert [record.version for record in history(shop.bucket, "vehicles")] == ["old", winner]


def test_force_does_not_pass_over_a_change_in_between(shop: Shop) -> None:
    shop.add("one", TOO_SURE)
    found = shop.consider()
    point(shop.bucket, "vehicles", "production", "one", who="Bob", why="quick", now=NOW)
    with pytest.raises(PromotionRefused, match="changed meanwhile from old to one"):
        shop.promote(found, force=True)
