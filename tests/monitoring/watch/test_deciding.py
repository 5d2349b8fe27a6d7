from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from scones.monitoring.watch.comparison import Comparison
from scones.monitoring.watch.deciding import MONITOR, START, TRANSITIONS, decide, proposal
from scones.monitoring.watch.evidence import Known
from scones.monitoring.watch.findings import findings
from scones.monitoring.watch.records import Alarm, ChannelEvidence, Estimate, Look, Stance, Standing
from scones.monitoring.watch.rules import Rules

T0 = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
RULES = Rules(healthy_pictures=100, shadow_pictures=100, canary_pictures=20)


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def alarm(*, outside: float = 0.0, began: float = -30) -> Alarm:
    when = at(began)
    return Alarm(
        at=at(began + 1),
        picture=9,
        began=when,
        channels=(ChannelEvidence(channel="brightness", evidence=1e6, began=when),),
        outside=outside,
    )


def look(minutes: float, **more: object) -> Look:
    given: dict[str, object] = {"at": at(minutes), "pictures": 50, "seen": 5_000, "expected": 0.95, **more}
    return Look.model_validate({"task": "vehicles", "version": "new", "state": "", "alarm_line": 250_000, **given})


def lost(minutes: float, **more: object) -> Look:
    """It found harm: pictures far outside."""
    return look(minutes, alarm=alarm(outside=0.6), **more)


def wrong(minutes: float, **more: object) -> Look:
    """It found harm: people say that the model errs."""
    return look(minutes, reviewed=Estimate(share=0.7, low=0.6, high=0.8, answers=80), **more)


def right(minutes: float) -> Look:
    """People say that it does not."""
    return look(minutes, reviewed=Estimate(share=0.96, low=0.92, high=0.98, answers=200))


KNOWN = Known("new", at(-60), record=2, pictures=1_000)
SAVES = Comparison("old", pictures=400, agreement=0.5, outside=0.0, production_outside=0.6)
HELPS = replace(KNOWN, before=SAVES, same_drift=False)
CANDIDATE = replace(SAVES, version="next")


def standing(stance: Stance, **more: object) -> Standing:
    given = {"stance": stance, "who": MONITOR, "why": "a test", "at": at(0), **more}
    return Standing.model_validate(given)


CAUTIOUS = standing(Stance.CAUTIOUS, threshold=0.99)
SHADOWING = standing(Stance.SHADOWING, threshold=0.99, candidate="next")
CANARY = standing(Stance.CANARY, threshold=0.99, candidate="next", weight=0.1)
ROLLED_BACK = standing(Stance.ROLLED_BACK, threshold=0.99, version="old", after=2)


def goes(standing: Standing | None, looks: list[Look], known: Known = KNOWN, rules: Rules = RULES) -> Stance | None:
    found = decide(standing, looks, rules, known, at(1_000))
    return found.stance if found else None


def test_harm_raises_the_threshold_from_the_second_look_in_a_row_on() -> None:
    for harm in (lost, wrong):
        assert goes(None, [harm(1)]) is None
        assert goes(None, [harm(1), look(2)]) is None
        assert goes(None, [harm(1), look(2), harm(3)]) is None
        found = decide(None, [look(1), harm(2), harm(3)], RULES, KNOWN, at(4))
        assert found is not None
        assert (found.stance, found.threshold, found.who, found.at) == (Stance.CAUTIOUS, 0.99, MONITOR, at(4))
        assert "2 looks in a row" in found.why
    assert "60% of the pictures since 2026-11-20 09:30 UTC" in decide(None, [lost(1), lost(2)], RULES, KNOWN, at(3)).why  # type: ignore[union-attr]


def test_a_drift_that_does_no_harm_changes_nothing_but_is_told_of() -> None:
    mild = [look(k, alarm=alarm(outside=0.1)) for k in range(1, 9)]
    assert goes(None, mild) is None
    [one] = findings(mild[-1], RULES)
    assert (one.level, one.signal) == ("warning", "drift")
    assert "brightness drifted" in one.text
    assert findings(look(1), RULES) == ()


def test_each_thing_that_a_person_should_know_of_is_a_finding_the_worst_first() -> None:
    poor = Estimate(share=0.5, low=0.4, high=0.6, warning="estimated without labels")
    seen = wrong(1, alarm=alarm(outside=0.6), accuracy=poor, gap=5400.0, unreadable=2, mix_warning="hardly known")
    told = findings(seen, RULES)
    assert [(one.level, one.signal) for one in told] == [
        ("harm", "accuracy"), ("harm", "outside"), ("warning", "estimated accuracy"), ("warning", "capture"),
        ("warning", "unreadable"), ("info", "class mix"),
    ]  # fmt: skip
    assert "accuracy 70.0% (95 % interval 60.0% to 80.0%), where 95.0% were expected" in told[0].text
    assert "for 90 minutes" in told[3].text


def test_an_error_that_is_only_estimated_or_may_be_luck_is_no_harm() -> None:
    luck = Estimate(share=0.85, low=0.7, high=0.93, answers=30)
    assert goes(None, [look(k, reviewed=luck) for k in (1, 2, 3)]) is None
    guessed = Estimate(share=0.5, low=0.4, high=0.6)
    assert goes(None, [look(k, accuracy=guessed) for k in (1, 2, 3)]) is None


def test_looks_without_new_pictures_and_looks_at_another_model_neither_count_nor_break_the_row() -> None:
    idle, other = look(2, pictures=0, gap=4000.0), look(2, version="old")
    for between in (idle, other):
        assert goes(None, [lost(1), between, lost(3)]) is Stance.CAUTIOUS
    assert goes(None, [lost(1, pictures=0), lost(2, pictures=0)]) is None
    assert goes(None, [lost(1, version="old"), lost(2, version="old")]) is None


def test_only_looks_after_a_stance_was_taken_are_evidence_for_the_next() -> None:
    known = replace(KNOWN, candidate=CANDIDATE)
    assert goes(CAUTIOUS, [lost(-1), lost(0), lost(1)], known) is None
    assert goes(CAUTIOUS, [lost(-1), lost(0), lost(1), lost(2)], known) is Stance.SHADOWING


def test_a_candidate_goes_through_the_shadow_to_a_share_of_the_pictures_and_is_then_proposed() -> None:
    known = replace(KNOWN, candidate=CANDIDATE, pictures=99)
    harm = [lost(1), lost(2)]
    shadow = decide(CAUTIOUS, harm, RULES, known, at(3))
    assert shadow is not None
    assert (shadow.stance, shadow.candidate, shadow.weight, shadow.threshold) == (Stance.SHADOWING, "next", 0, 0.99)
    assert goes(SHADOWING, harm, known) is None  # a picture more
    canary = decide(SHADOWING, harm, RULES, replace(known, pictures=100), at(3))
    assert canary is not None
    assert (canary.stance, canary.candidate, canary.weight) == (Stance.CANARY, "next", 0.1)
    assert goes(CANARY, harm, replace(known, pictures=10_000)) is None
    assert proposal(CANARY, harm, RULES, replace(known, pictures=190)) is None
    told = proposal(CANARY, harm, RULES, replace(known, pictures=200))
    assert told is not None
    assert "scones promote next" in told.text
    assert proposal(SHADOWING, harm, RULES, replace(known, pictures=200)) is None


def test_a_candidate_that_is_worse_gone_or_replaced_is_taken_out() -> None:
    worse = replace(CANDIDATE, outside=0.6, production_outside=0.0)
    for known in (KNOWN, replace(KNOWN, candidate=worse), replace(KNOWN, candidate=replace(CANDIDATE, version="x"))):
        for trial in (SHADOWING, CANARY):
            found = decide(trial, [lost(1), look(2)], RULES, known, at(3))
            assert found is not None
            assert (found.stance, found.candidate, found.weight, found.threshold) == (Stance.CAUTIOUS, None, 0, 0.99)
    assert goes(CAUTIOUS, [lost(1), lost(2)], replace(KNOWN, candidate=worse)) is None


def test_it_rolls_back_to_a_model_that_does_better_where_no_candidate_is_left() -> None:
    found = decide(CAUTIOUS, [lost(1), lost(2)], RULES, HELPS, at(3))
    assert found is not None
    assert (found.stance, found.version, found.after, found.threshold) == (Stance.ROLLED_BACK, "old", 2, 0.99)
    assert "model old answers 50.0% of 400 pictures as production does" in found.why
    tried = replace(HELPS, candidate=CANDIDATE)
    assert goes(CAUTIOUS, [lost(1), lost(2)], tried) is Stance.SHADOWING
    even = replace(HELPS, candidate=replace(CANDIDATE, outside=0.6))
    assert goes(SHADOWING, [lost(1), lost(2)], even) is Stance.ROLLED_BACK
    assert goes(CANARY, [lost(1), lost(2)], even) is Stance.ROLLED_BACK
    few = replace(even, pictures=50)
    assert goes(SHADOWING, [lost(1), lost(2)], few) is None
    assert goes(CANARY, [lost(1), lost(2)], few) is None


@pytest.mark.parametrize(
    ("known", "looks"),
    [
        pytest.param(replace(HELPS, same_drift=True), [lost(1), lost(2)], id="the old model sees the drift too"),
        pytest.param(replace(HELPS, same_drift=None), [lost(1), lost(2)], id="nobody can tell"),
        pytest.param(replace(HELPS, before=None), [lost(1), lost(2)], id="there is no old model"),
        pytest.param(
            replace(HELPS, before=replace(SAVES, outside=0.5)), [lost(1), lost(2)], id="the old model is lost as well"
        ),
        pytest.param(replace(HELPS, before=Comparison("old")), [lost(1), lost(2)], id="the old model was not compared"),
        pytest.param(
            replace(HELPS, promoted=at(-20)), [lost(1), lost(2)], id="the drift was there before production"
        ),
        pytest.param(HELPS, [lost(1), look(2, alarm=alarm(outside=0.1))], id="the harm is over"),
    ],
)  # fmt: skip
def test_it_does_not_roll_back(known: Known, looks: list[Look]) -> None:
    for stance in (CAUTIOUS, SHADOWING, CANARY):
        candidate = replace(CANDIDATE, outside=0.6) if stance.candidate else None
        assert goes(stance, looks, replace(known, candidate=candidate)) is None


def test_for_errors_it_rolls_back_only_where_people_prefer_the_old_model_and_by_enough() -> None:
    harm = [wrong(1), wrong(2)]
    clear = Estimate(share=0.9, low=0.7, high=0.98, answers=40)
    old = Comparison("old", pictures=400, agreement=0.7, preferred=clear)
    assert goes(CAUTIOUS, harm, replace(HELPS, before=old)) is Stance.ROLLED_BACK
    luck = replace(old, preferred=Estimate(share=0.7, low=0.45, high=0.9, answers=10))
    little = replace(old, agreement=0.97)
    for not_enough in (luck, little, replace(old, preferred=None)):
        assert goes(CAUTIOUS, harm, replace(HELPS, before=not_enough)) is None
    against = Estimate(share=0.3, low=0.1, high=0.55, answers=10)
    assert goes(CAUTIOUS, [lost(1), lost(2)], replace(HELPS, before=replace(SAVES, preferred=against))) is None


def test_going_back_takes_more_looks_and_pictures_than_going_on() -> None:
    quiet = [look(k) for k in (1, 2, 3, 4)]
    assert goes(CAUTIOUS, quiet[:3]) is None
    found = decide(CAUTIOUS, quiet, RULES, KNOWN, at(5))
    assert found is not None
    assert (found.stance, found.threshold) == (Stance.OBSERVING, None)
    assert goes(CAUTIOUS, quiet, replace(KNOWN, pictures=99)) is None
    assert goes(CAUTIOUS, [*quiet[:3], look(4, seen=99)]) is None  # a detector that was begun anew a moment ago
    assert goes(CAUTIOUS, [*quiet[:3], look(4, alarm=alarm(outside=0.1))]) is None
    for trial in (SHADOWING, CANARY):
        assert goes(trial, quiet, replace(KNOWN, candidate=CANDIDATE)) is Stance.CAUTIOUS  # one step at a time


def test_after_a_confirmed_error_only_people_can_say_that_it_is_over() -> None:
    erred = replace(KNOWN, erred=True)
    assert goes(CAUTIOUS, [look(k) for k in range(1, 9)], erred) is None
    assert goes(CAUTIOUS, [right(k) for k in range(1, 5)], erred) is Stance.OBSERVING
    assert goes(CAUTIOUS, [wrong(1), *(look(k) for k in range(2, 9))]) is None


def test_after_going_back_it_trusts_again_is_careful_again_or_follows_a_person() -> None:
    old = replace(KNOWN, production="old")
    assert goes(ROLLED_BACK, [look(k, version="old") for k in range(1, 5)], old) is Stance.OBSERVING
    assert goes(ROLLED_BACK, [lost(1, version="old"), lost(2, version="old")], old) is Stance.CAUTIOUS
    promoted = replace(KNOWN, production="next")
    looks = [look(1, version="next"), look(2, version="next")]
    assert goes(ROLLED_BACK, looks, promoted) is Stance.OBSERVING
    only_said = ROLLED_BACK.model_copy(update={"dry_run": True})
    assert goes(only_said, [lost(1), lost(2)]) is None


def test_a_persons_higher_threshold_stays() -> None:
    strict = CAUTIOUS.model_copy(update={"threshold": 0.999})
    found = decide(strict, [lost(1), lost(2)], RULES, replace(KNOWN, candidate=CANDIDATE), at(3))
    assert found is not None
    assert found.threshold == 0.999


def test_rules_that_would_go_back_faster_than_on_are_refused() -> None:
    with pytest.raises(ValidationError, match="looks_to_return is 1, but looks_to_act 2"):
        Rules(looks_to_return=1)


def test_there_is_a_way_back_to_trust_from_every_stance_and_none_skips_a_stage() -> None:
    edges = {(one.source, one.target) for one in TRANSITIONS}
    reach = {Stance.OBSERVING}
    for _ in Stance:
        reach |= {source for source, target in edges if target in reach}
    assert reach == set(Stance)
    forward = {target for source, target in edges if source is Stance.OBSERVING}
    assert forward == {Stance.CAUTIOUS}
    assert {source for source, target in edges if target is Stance.CANARY} == {Stance.SHADOWING}


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), harmful=st.floats(0, 1), steps=st.integers(10, 80))
def test_whatever_comes_it_never_flaps_skips_a_stage_or_rolls_back_without_knowing_that_it_helps(
    seed: int, harmful: float, steps: int
) -> None:
    """Random looks, and a world that changes at random between them."""
    rng = random.Random(seed)
    edges = {(one.source, one.target) for one in TRANSITIONS}
    now: Standing | None = None
    looks: list[Look] = []
    since = START.at
    for minute in range(1, steps):
        kind = rng.choice((lost, wrong)) if rng.random() < harmful else rng.choice((look, right))
        more = {"pictures": rng.choice((0, 50, 400)), "version": rng.choice(("new", "new", "new", "old"))}
        if kind is not right:
            looks.append(kind(minute, **more))
        else:
            looks.append(right(minute))
        fares = [None, SAVES, replace(SAVES, outside=0.6), replace(SAVES, production_outside=0.0, outside=0.6)]
        candidate = rng.choice(fares)
        known = Known(
            rng.choice(("new", "new", "old")),
            at(rng.choice((-60, 5))),
            candidate=candidate and replace(candidate, version=rng.choice(("next", "next", "other"))),
            before=rng.choice(fares),
            same_drift=rng.choice((True, False, None)),
            erred=rng.random() < 0.2,
            pictures=sum(one.pictures for one in looks if one.at > since),
        )
        found = decide(now, looks, RULES, known, at(minute))
        assert found == decide(now, looks, RULES, known, at(minute))
        held = (now or START).model_copy(update={"held": True})
        assert decide(held, looks, RULES, known, at(minute)) is None
        if found is None:
            continue
        source = now.stance if now else Stance.OBSERVING
        assert (source, found.stance) in edges
        fresh = [one for one in looks if one.at > since and one.pictures and one.version == known.production]
        assert len(fresh) >= RULES.looks_to_act
        if found.stance in (Stance.OBSERVING,) and (now is None or now.version in (None, known.production)):
            assert len(fresh) >= RULES.looks_to_return
        if found.stance is Stance.ROLLED_BACK:
            assert known.same_drift is False
            assert known.before is not None
            assert found.version == known.before.version == "old"
        assert (found.threshold is None) == (found.stance is Stance.OBSERVING)
        assert (found.candidate is not None) == (found.stance in (Stance.SHADOWING, Stance.CANARY))
        assert (found.weight > 0) == (found.stance is Stance.CANARY)
        assert (found.version is not None) == (found.stance is Stance.ROLLED_BACK)
        assert not found.held
        assert found.why
        now, since = found, at(minute)
