"""One look at what an endpoint captured since the last one: what came, whether it drifted, how good the answers are."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from scones.capture import CaptureRecord, is_sampled
from scones.monitoring.drift.sequential import Detector, WatchPlan
from scones.monitoring.watch.answers import answers_of, note_of_others, version_of, whole_answers
from scones.monitoring.watch.basis import Basis, find_basis, write_look
from scones.monitoring.watch.estimates import estimates
from scones.monitoring.watch.gaps import gap, holes
from scones.monitoring.watch.health import health_of, health_tag
from scones.monitoring.watch.history import newest_number
from scones.monitoring.watch.judged import Judged
from scones.monitoring.watch.records import Look, Totals
from scones.monitoring.watch.repeats import note_of_repeats
from scones.monitoring.watch.scoring import Model
from scones.monitoring.watch.showing import show
from scones.monitoring.watch.state import WatchState
from scones.monitoring.watch.stream import NewRecords, read_new
from scones.monitoring.watch.window import Window
from scones.registry import current_policy, load_model
from scones.staging.source import Progress, no_progress
from scones.store import Bucket, Layout

__all__ = ["Looked", "Watcher"]

_log = logging.getLogger(__name__)
_SEARCHES: Final = timedelta(hours=1)
"""How far apart a watcher looks for files of any day that they may still come for: there are many."""
_RECENT: Final = timedelta(hours=2)
"""Else it looks for those of so long before the newest record, and later ones."""


@dataclass(frozen=True)
class Looked:
    """What came of a look.

    Attributes:
        look: what was seen; None where nothing was new.
        number: of the newest look that is written down; 0 where there is none.
        more: whether more is left to be read: look again.
        beaten: another monitor wrote a look meanwhile: then this one counts as not taken, and the other's is in the
            store.
    """

    look: Look | None
    number: int
    more: bool = False
    beaten: bool = False


class Watcher:
    """Looks at the answers of the model in production, as often as it is asked to.

    All that it knows lies in the store: several watchers of an endpoint, at once or one after the other, see each
    event once. Models are kept in memory between looks.

    Args:
        bucket: where capture, models and looks lie.
        endpoint: whose capture.
        task: the task's name: its model in production is watched.
        prefix: of the capture; default: that of the endpoint.
        share: of the pictures that are shown to the detector, 0 to 1, chosen by event id.
        gap_seconds: how old the newest record may be; 0: as old as it likes.
        most: records that a look reads at most.
        plan: how the stream is watched.
        report: told how it gets on.
    """

    def __init__(
        self,
        bucket: Bucket,
        endpoint: str,
        task: str,
        *,
        prefix: str | None = None,
        share: float = 1,
        gap_seconds: float = 3600,
        most: int = 2_000,
        plan: WatchPlan | None = None,
        report: Progress = no_progress,
    ) -> None:
        self.bucket, self.endpoint, self.task = bucket, endpoint, task
        self.prefix = prefix or f"{Layout.CAPTURE}/{endpoint}"
        self.share, self.gap_seconds, self.most = share, gap_seconds, most
        self.plan = plan or WatchPlan()
        self.report = report
        self._model: Model | None = None
        self._health_tag = ""
        self._judged = Judged(bucket, endpoint)
        self._searched: datetime | None = None

    def look(self, now: datetime) -> Looked:
        """Look once.

        First the state is written, then the look, and of several watchers only one's: so whatever ends this in
        between, the next look goes on from the last one that is written down, and nothing is lost or counted twice.

        Args:
            now: with time zone.

        Raises:
            BundleError: no model is in production, or it is damaged.
            StoreError: the store does not answer, or is full. Nothing is lost: look again.
            TrainingError: what the model looks like in health cannot be told.
        """
        basis = find_basis(self.bucket, self.endpoint)
        policy = current_policy(self.bucket, self.task)
        since = self._since(basis, now)
        searched = now if since is None else self._searched
        self._searched = None  # should this look come to nothing
        new = read_new(
            self.bucket,
            self.prefix,
            basis.position,
            now=now,
            since=since,
            wants_picture=lambda record: self._is_shown(record, policy.version),
            most=self.most,
        )
        if new.more:  # what is left may lie anywhere
            searched = None
        newest = max((time for time in (basis.newest, new.newest) if time is not None), default=None)
        # as long as more is left, nobody knows how new the newest is
        silent = None if new.more else gap(newest, policy, now, self.gap_seconds)
        began = silent is not None and (basis.last is None or basis.last.gap is None)
        another = basis.state is not None and basis.state.version != policy.version
        if not (new.files or basis.note or began or another or self._is_judged_otherwise(basis, now)):
            self._searched = searched
            return Looked(None, basis.number, new.more)
        look, state = self._seen(basis, new, policy.version, newest, now)
        look = look.model_copy(update={"gap": silent})
        if not write_look(self.bucket, self.endpoint, look, state, basis.number):
            return Looked(None, newest_number(self.bucket, self.endpoint), more=True, beaten=True)
        self._searched = searched
        return Looked(look, basis.number + 1, new.more)

    def _is_judged_otherwise(self, basis: Basis, now: datetime) -> bool:
        """Whether people have said more of audited pictures since the last look."""
        if basis.state is None or basis.last is None:
            return False
        found = self._judged.estimate(basis.state.version, basis.state.window, now)
        return found is not None and found != basis.last.reviewed

    def _since(self, basis: Basis, now: datetime) -> datetime | None:
        """From which hour on to look for files: once an hour for all that may still come, else only for recent ones."""
        if basis.newest is None or self._searched is None or now - self._searched >= _SEARCHES:
            return None
        return datetime.fromtimestamp(basis.newest, UTC) - _RECENT

    def _is_shown(self, record: CaptureRecord, version: str) -> bool:
        return version_of(record, version) == version and is_sampled(record.event_id, self.share)

    def _seen(
        self, basis: Basis, new: NewRecords, version: str, newest: float | None, now: datetime
    ) -> tuple[Look, WatchState]:
        """Show what is new to the detector, and put together what is seen then."""
        model = self._load(version)
        state, note = self._begin(basis, model)
        own = answers_of(version, new.records)
        mine = whole_answers(own, new.problems, len(model.health.labels))
        shown = [one for one in mine if self._is_shown(one.record, version)]
        before = state.detector.seen
        state, repeats = show(
            state, model, shown, new.problems, lambda done, of: self.report("captured pictures", done, of)
        )
        counts = Totals(
            records=len(new.records),
            pictures=state.detector.seen - before,
            duplicates=new.duplicates,
            repeats=repeats,
            unreadable=new.problems.lines,
        )
        totals = basis.totals.plus(counts)
        state = replace(state, position=new.position, totals=totals, newest=newest)
        if new.problems.lines:
            _log.warning("%d of what was captured cannot be used: %s", new.problems.lines, new.problems.examples)
        times = [one.record.time for one in new.records]
        hole = holes(basis.newest, times, self.gap_seconds)
        repeated = note_of_repeats(repeats, counts.pictures)
        notes = (basis.note, note, hole, note_of_others(version, new.records), repeated)
        confidences = [one.record.confidence for one in mine]
        look = Look(
            at=now,
            task=self.task,
            version=version,
            state="",
            start=times[0] if times else None,
            until=times[-1] if times else None,
            files=new.files,
            records=counts.records,
            pictures=counts.pictures,
            others=len(new.records) - len(own),
            seen=state.detector.seen,
            duplicates=counts.duplicates,
            repeats=counts.repeats,
            unreadable=counts.unreadable,
            totals=totals,
            newest=None if newest is None else datetime.fromtimestamp(newest, UTC),
            confidence=float(np.mean(confidences)) if confidences else None,
            labels=dict(Counter(one.record.label(model.health.labels) for one in mine).most_common()),
            evidence=state.detector.by_channel,
            alarm_line=state.detector.plan.alarm_line,
            alarm=state.alarm,
            reviewed=self._judged.estimate(version, state.window, now),
            baseline=model.health.baseline.said if model.health.baseline else "",
            note="; ".join(filter(None, notes)),
            **estimates(state.window, model.health),
        )
        return look, state

    def _load(self, version: str) -> Model:
        """The model with its health, which a person may have told anew meanwhile."""
        known, tag = self._model, health_tag(self.bucket, self.task, version)
        if known is None or known.health.version != version:
            health = health_of(self.bucket, self.task, version, self.report)
            known = Model(load_model(self.bucket, self.task, version), health)
        elif not tag or tag != self._health_tag:
            known = Model(known.classifier, health_of(self.bucket, self.task, version, self.report))
        self._model, self._health_tag = known, tag
        return known

    def _begin(self, basis: Basis, model: Model) -> tuple[WatchState, str]:
        """The state to go on from; a new one where there is none, or where it is of another model."""
        state, version = basis.state, model.health.version
        detector = Detector(model.health.reference, self.plan)
        if state is None:
            nothing = np.zeros(0)
            fresh = WatchState(
                version=version,
                position=basis.position,
                detector=detector,
                window=Window.none(),
                times=nothing,
                contents=nothing.astype(np.uint64),
                alarm=None,
                totals=basis.totals,
                newest=basis.newest,
            )
            return fresh, ""
        if state.version != version:
            note = f"model {version} took the place of {state.version} in production: its watch begins"
        elif state.detector.reference.model_dump_json() != model.health.reference.model_dump_json():
            base = model.health.baseline
            on = f" on {base.said}" if base else ""
            note = f"what model {version} looks like in health was told anew{on}: its watch begins anew"
        else:
            return state, ""
        return state.begun_anew(version, detector), note
