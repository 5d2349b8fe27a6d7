from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scones.errors import BundleError, MessageError, ObjectExists, ObjectMissing, PromotionRefused, SettingsError
from scones.monitoring.watch.acting import Reaction, apply, react
from scones.monitoring.watch.overriding import overridden, released, undone
from scones.monitoring.watch.records import Stance, Standing
from scones.monitoring.watch.rules import Rules
from scones.monitoring.watch.standings import in_force, newest_standing, read_standings, stand
from scones.registry import current_policy, history
from scones.store import Bucket, Layout, open_bucket
from tests.monitoring.watch.rivals import ENDPOINT, ERRS, T0, TASK, Watched, build, current, lost, put

RULES = Rules(healthy_pictures=300, shadow_pictures=200, canary_pictures=20)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Callable[..., bytes]) -> Bucket:
    return build(str(tmp_path_factory.mktemp("models")), tiny_bundle)


@pytest.fixture
def watch(models: Bucket, tmp_path: Path) -> Callable[..., Watched]:
    """An endpoint over a copy of the models: ``watch("day", "night", candidate="also-day")``."""

    def make(*production: str, candidate: str | None = None) -> Watched:
        assert models.folder is not None
        shutil.copytree(models.folder, tmp_path / "scones")
        return Watched.of(open_bucket(str(tmp_path), "scones"), *production, candidate=candidate)

    return make


def reacts(watched: Watched, now: datetime, *, dry_run: bool = False) -> Reaction:
    return react(watched.bucket, ENDPOINT, TASK, rules=RULES, now=now, dry_run=dry_run)


def stances(watched: Watched) -> list[str]:
    return [one.standing.stance.value for one in read_standings(watched.bucket, ENDPOINT)]


def goes_through(watched: Watched, looks: int, *, dry_run: bool = False, **look: Any) -> list[Reaction]:
    return [reacts(watched, watched.look(**look), dry_run=dry_run) for _ in range(looks)]


def test_a_wrong_model_is_mistrusted_and_then_rolled_back_as_the_one_before_knows_the_pictures(
    watch: Callable[..., Watched],
) -> None:
    watched = watch("night", "day")
    first, second, third, fourth = goes_through(watched, 4, light="night", alarm=lost())
    assert first.standing is None
    assert [one.level for one in first.findings] == ["harm"]
    assert second.standing is not None
    assert (second.standing.stance, second.standing.look, second.number, second.did) == (Stance.CAUTIOUS, 2, 1, "")
    assert third.standing is None
    assert fourth.standing is not None
    assert (fourth.standing.stance, fourth.standing.version, fourth.standing.after) == (Stance.ROLLED_BACK, "night", 2)
    assert fourth.did == "model night is in production of task vehicles again, in place of day"
    policy = current_policy(watched.bucket, TASK)
    assert (policy.version, policy.who, policy.restores) == ("night", "monitor", 1)
    assert "the model before does better" in policy.why
    goes_through(watched, 4, light="night")
    assert stances(watched) == ["cautious", "rolled back", "observing"]
    assert current(watched.bucket) == "night"


def test_it_never_rolls_back_where_the_model_before_sees_the_same_drift(watch: Callable[..., Watched]) -> None:
    watched = watch("also-day", "day")
    goes_through(watched, 8, light="night", alarm=lost())
    assert stances(watched) == ["cautious"]
    assert current(watched.bucket) == "day"


def test_it_never_rolls_back_where_nobody_can_tell(watch: Callable[..., Watched]) -> None:
    watched = watch("night", "day")
    watched.bucket.delete(Layout.health(TASK, "night"))
    for key in list(watched.bucket.list(Layout.dataset(TASK))):
        watched.bucket.delete(key)
    goes_through(watched, 6, light="night", alarm=lost())
    assert stances(watched) == ["cautious"]


def test_a_model_that_people_find_wrong_is_rolled_back_where_they_find_the_one_before_right(
    watch: Callable[..., Watched],
) -> None:
    watched = watch("day", "flipped")
    goes_through(watched, 4, light="day", judged=10, reviewed=ERRS)
    assert stances(watched) == ["cautious", "rolled back"]
    assert current(watched.bucket) == "day"
    goes_through(watched, 5, light="day")
    assert stances(watched)[-1] == "observing"  # the errors were of another model


def test_a_candidate_goes_on_trial_and_what_it_needs_to_be_promoted_is_told(watch: Callable[..., Watched]) -> None:
    watched = watch("also-day", "day", candidate="night")
    *_, last = goes_through(watched, 9, light="night", alarm=lost())
    assert stances(watched) == ["cautious", "shadowing", "canary"]
    canary = in_force(watched.bucket, ENDPOINT)
    assert canary is not None
    assert (canary.candidate, canary.weight, canary.threshold) == ("night", 0.1, 0.99)
    assert [(one.level, one.signal) for one in last.findings] == [("harm", "outside"), ("info", "candidate")]
    assert current(watched.bucket) == "day"


def test_a_candidate_that_people_find_worse_is_not_even_tried(watch: Callable[..., Watched]) -> None:
    watched = watch("day", candidate="flipped")
    goes_through(watched, 6, light="day", judged=10, alarm=lost())
    assert stances(watched) == ["cautious"]


def test_a_candidate_is_tried_once_until_the_endpoint_is_trusted_again(watch: Callable[..., Watched]) -> None:
    watched = watch("also-day", "day", candidate="night")
    cautious = Standing(stance=Stance.CAUTIOUS, threshold=0.99, who="monitor", why="a test", at=T0)
    trial = cautious.model_copy(update={"stance": Stance.SHADOWING, "candidate": "night"})
    for number, one in enumerate((cautious, trial, cautious)):
        stand(watched.bucket, ENDPOINT, one, number)
    goes_through(watched, 3, light="night", alarm=lost())
    assert stances(watched)[3:] == []
    trusted = Standing(who="Ada", why="a test", at=T0 + timedelta(minutes=watched.looks))
    stand(watched.bucket, ENDPOINT, trusted, 3)
    goes_through(watched, 4, light="night", alarm=lost())
    assert stances(watched)[4:] == ["cautious", "shadowing"]


def test_a_dry_run_writes_down_what_it_would_do_and_does_nothing(watch: Callable[..., Watched]) -> None:
    watched = watch("night", "day")
    goes_through(watched, 8, light="night", alarm=lost(), dry_run=True)
    assert stances(watched) == ["cautious", "rolled back"]
    assert in_force(watched.bucket, ENDPOINT) is None
    assert all(one.standing.dry_run for one in read_standings(watched.bucket, ENDPOINT))
    assert [record.version for record in history(watched.bucket, TASK)] == ["night", "day"]
    [*_, real] = goes_through(watched, 1, light="night", alarm=lost())
    assert real.standing is not None
    assert real.standing.stance is Stance.CAUTIOUS  # begins with what is meant, not with what was said
    assert newest_standing(watched.bucket, ENDPOINT)[0] == 3


def test_what_a_crash_left_undone_is_done_by_the_next_run_and_only_once(watch: Callable[..., Watched]) -> None:
    watched = watch("night", "day")
    decided = Standing(
        stance=Stance.ROLLED_BACK, version="night", after=2, threshold=0.99, who="monitor", why="harm", at=T0, look=1
    )
    stand(watched.bucket, ENDPOINT, decided, 0)  # and then the process died
    now = watched.look("night")
    assert "model night is in production" in reacts(watched, now).did
    assert reacts(watched, now).did == ""
    assert apply(watched.bucket, TASK, decided, now) == ""
    assert [record.version for record in history(watched.bucket, TASK)] == ["night", "day", "night"]


def test_what_a_person_did_to_production_since_stays(watch: Callable[..., Watched]) -> None:
    watched = watch("night", "day")
    goes_through(watched, 4, light="night", alarm=lost())
    assert current(watched.bucket) == "night"
    put(watched.bucket, "production", "also-day", T0)
    for reaction in goes_through(watched, 2, light="day"):
        assert "it stays with model also-day" in reaction.did
    assert stances(watched)[-1] == "observing"
    assert current(watched.bucket) == "also-day"


def test_a_model_that_is_gone_is_not_gone_back_to(watch: Callable[..., Watched]) -> None:
    watched = watch("night", "day")
    back = Standing(stance=Stance.ROLLED_BACK, version="night", after=2, who="Ada", why="", at=T0)
    watched.bucket.delete(f"{Layout.model(TASK, 'night')}/model.tar.gz")
    with pytest.raises(BundleError, match="production stays as it is"):
        apply(watched.bucket, TASK, back, T0)
    never = back.model_copy(update={"version": "also-day"})
    with pytest.raises(PromotionRefused, match="never was in production"):
        apply(watched.bucket, TASK, never, T0)


def test_of_two_monitors_one_decides(watch: Callable[..., Watched], caplog: pytest.LogCaptureFixture) -> None:
    watched = watch("night", "day")
    goes_through(watched, 1, light="night", alarm=lost())
    now = watched.look("night", alarm=lost())
    mine = Standing(stance=Stance.CAUTIOUS, who="monitor", why="another monitor was first", at=now, look=2)

    class Slow(Bucket):
        """The other monitor writes before this one does."""

        def append(self, series: str, value: Any, *, after: int | None = None) -> int:
            watched.bucket.append(series, mine.model_dump(mode="json"))
            return super().append(series, value, after=after)

    assert watched.bucket.folder is not None
    slow = Slow(watched.bucket.name, watched.bucket._store, watched.bucket.folder)
    reaction = react(slow, ENDPOINT, TASK, rules=RULES, now=now, dry_run=False)
    assert reaction.standing is None
    assert stances(watched) == ["cautious"]
    assert "another monitor was first" in caplog.text


def test_what_a_person_decides_holds_until_it_is_released(watch: Callable[..., Watched]) -> None:
    watched = watch("night", "day")
    now = watched.look("night", alarm=lost())
    told: dict[str, Any] = {"who": "Ada", "why": "I am looking at it", "now": now, "rules": RULES}
    mine = overridden(watched.bucket, TASK, Stance.OBSERVING, **told)
    stand(watched.bucket, ENDPOINT, mine, 0)
    goes_through(watched, 4, light="night", alarm=lost())
    assert stances(watched) == ["observing"]
    free = released(watched.bucket, TASK, in_force(watched.bucket, ENDPOINT), who="Ada", why="done", now=now)
    assert free is not None
    assert (free.stance, free.held, free.why) == (Stance.OBSERVING, False, "done")
    stand(watched.bucket, ENDPOINT, free, 1)
    assert released(watched.bucket, TASK, free, who="Ada", why="again", now=now) is None
    goes_through(watched, 2, light="night", alarm=lost())
    assert stances(watched)[-1] == "cautious"


def test_each_stance_can_be_undone_and_done_again_production_with_it(watch: Callable[..., Watched]) -> None:
    watched = watch("night", "day")
    goes_through(watched, 4, light="night", alarm=lost())
    bucket = watched.bucket

    def undo() -> Standing:
        now = T0 + timedelta(hours=1)
        back = undone(bucket, ENDPOINT, TASK, read_standings(bucket, ENDPOINT), who="Ada", why="no", now=now)
        stand(bucket, ENDPOINT, back, newest_standing(bucket, ENDPOINT)[0])
        apply(bucket, TASK, back, now)
        return back

    first = undo()
    assert (first.stance, first.threshold, first.held, current(bucket)) == (Stance.CAUTIOUS, 0.99, True, "day")
    second = undo()
    assert (second.stance, second.held, current(bucket)) == (Stance.ROLLED_BACK, False, "night")
    third = undo()
    assert (third.stance, current(bucket)) == (Stance.CAUTIOUS, "day")
    put(bucket, "production", "also-day", T0)
    fourth = undo()
    assert (fourth.stance, fourth.version, current(bucket)) == (Stance.ROLLED_BACK, None, "also-day")


def test_before_the_first_stance_the_endpoint_was_trusted_and_before_that_there_is_nothing(
    watch: Callable[..., Watched],
) -> None:
    watched = watch("night", "day")
    told: dict[str, Any] = {"who": "Ada", "why": "no", "now": T0}
    with pytest.raises(ObjectMissing, match="nothing to undo"):
        undone(watched.bucket, ENDPOINT, TASK, [], **told)
    goes_through(watched, 2, light="night", alarm=lost())
    back = undone(watched.bucket, ENDPOINT, TASK, read_standings(watched.bucket, ENDPOINT), **told)
    assert (back.stance, back.threshold, back.held, back.at) == (Stance.OBSERVING, None, True, T0)


def test_a_person_names_what_goes_with_a_stance_or_gets_what_is_usual(watch: Callable[..., Watched]) -> None:
    bucket = watch("night", "day", candidate="also-day").bucket
    told: dict[str, Any] = {"who": "Ada", "why": "a test", "now": T0, "rules": RULES}

    def want(stance: Stance, **more: Any) -> Standing:
        return overridden(bucket, TASK, stance, **told, **more)

    assert want(Stance.CAUTIOUS).threshold == 0.99
    assert want(Stance.CAUTIOUS, threshold=0.95).threshold == 0.95
    assert (want(Stance.SHADOWING).candidate, want(Stance.SHADOWING).weight) == ("also-day", 0)
    assert (want(Stance.CANARY).candidate, want(Stance.CANARY).weight) == ("also-day", 0.1)
    canary = want(Stance.CANARY, candidate="flipped", weight=0.3, threshold=0.97)
    assert (canary.candidate, canary.weight, canary.threshold, canary.held) == ("flipped", 0.3, 0.97, True)
    back = want(Stance.ROLLED_BACK)
    assert (back.version, back.after) == ("night", 2)
    wrong: list[tuple[Stance, dict[str, Any], str]] = [
        (Stance.OBSERVING, {"threshold": 0.9}, "--threshold does not go with the stance observing"),
        (Stance.CAUTIOUS, {"candidate": "also-day"}, "--candidate does not go"),
        (Stance.SHADOWING, {"weight": 0.1}, "--weight does not go"),
        (Stance.CANARY, {"weight": 0.0}, "that is the stance shadowing"),
        (Stance.CANARY, {"candidate": "day"}, "is in production itself"),
    ]
    for stance, more, message in wrong:
        with pytest.raises(SettingsError, match=message):
            want(stance, **more)
    with pytest.raises(BundleError, match="no model at"):
        want(Stance.CANARY, candidate="gone")


def test_there_is_no_going_back_from_a_task_s_first_model_or_to_the_same_with_another_threshold(
    watch: Callable[..., Watched],
) -> None:
    bucket = watch("day").bucket
    told: dict[str, Any] = {"who": "Ada", "why": "a test", "now": T0, "rules": RULES}
    with pytest.raises(PromotionRefused, match="nothing lies below day"):
        overridden(bucket, TASK, Stance.ROLLED_BACK, **told)
    policy = current_policy(bucket, TASK).model_copy(update={"threshold": 0.8})
    bucket.append(Layout.policy_series(TASK), policy.model_dump())
    with pytest.raises(PromotionRefused, match="with another threshold"):
        overridden(bucket, TASK, Stance.ROLLED_BACK, **told)


def test_who_decides_on_an_old_stance_is_told_of_the_new_one(watch: Callable[..., Watched]) -> None:
    bucket = watch("day").bucket
    mine = Standing(stance=Stance.CAUTIOUS, threshold=0.99, who="Ada", why="fog", at=T0)
    assert stand(bucket, ENDPOINT, mine, 0) == 1
    with pytest.raises(ObjectExists, match=r"changed meanwhile to cautious \(Ada, .*: fog\)"):
        stand(bucket, ENDPOINT, mine, 0)
    bucket.put(Layout.record(Layout.stance_series(ENDPOINT), 2), b'{"stance": "sleeping"}')
    with pytest.raises(MessageError, match="stance"):
        newest_standing(bucket, ENDPOINT)


def test_without_a_look_or_a_stance_nothing_happens(watch: Callable[..., Watched]) -> None:
    watched = watch("day")
    assert reacts(watched, T0) == Reaction()
    assert newest_standing(watched.bucket, ENDPOINT) == (0, None)
