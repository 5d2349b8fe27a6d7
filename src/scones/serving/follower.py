"""Follow the store: which model is in production and how the endpoint is to be run, and let that be served.

Two series say so: production's policies, and the endpoint's stances, which the monitor or a person takes. Both are
only ever added to, so to look is to ask whether there is one more record.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from scones.bundle import BundleInfo
from scones.contracts import Policy, parse
from scones.errors import BundleError, SconesError
from scones.monitoring.watch.records import Standing
from scones.registry.aliases import PRODUCTION, current_policy
from scones.registry.bundles import read_model
from scones.serving.plan import Plan, Post
from scones.store import Bucket, Layout

if TYPE_CHECKING:
    from scones.serving.figures import Row

__all__ = ["Follower"]

_log = logging.getLogger(__name__)


class Follower:
    """Knows what the store wants an endpoint to serve.

    Args:
        bucket: where models, policies and stances lie.
        task: the task's name.
        endpoint: its name.
    """

    def __init__(self, bucket: Bucket, task: str, endpoint: str) -> None:
        self._bucket = bucket
        self._task = task
        self._policies = _Series(bucket, Layout.policy_series(task, PRODUCTION))
        self._stances = _Series(bucket, Layout.stance_series(endpoint))
        self._policy: Policy | None = None
        self._standing: Standing | None = None
        self._infos: dict[str, BundleInfo] = {}
        self._missing = ""
        self._in_force: Plan | None = None
        self._asked: Plan | None = None
        self._settled = threading.Event()

    def begin(self) -> Plan:
        """What to serve first.

        A stance that cannot be read, or a candidate that cannot be had, is logged: the endpoint starts without.

        Raises:
            BundleError: no model is in production, or it is damaged.
            StoreError: production's newest policy is damaged, or the store does not answer.
        """
        self._policy = current_policy(self._bucket, self._task)
        try:
            self._read_stance()
        except SconesError as error:
            _log.warning("the endpoint starts as it was promoted to, without its stance: %s", error)
        self._asked = self._with_bundles(self._plan())
        return self._asked

    def look(self) -> Plan | None:
        """What is to be served from now on; None where that is what was asked for last.

        Raises:
            SconesError: the store does not say. What is served goes on.
        """
        if not self._settled.is_set():
            return None  # one after the other: the processes have the models that are in force, no others
        self._read_policy()
        self._read_stance()
        plan = self._plan()
        if plan == self._asked:
            return None
        plan = self._with_bundles(plan)
        self._asked = plan
        self._settled.clear()
        return plan

    def outcome(self, plan: Plan, error: SconesError | None) -> None:
        """Tell what became of a plan; any thread may. One that failed is asked for again when the store has changed."""
        if error is not None:
            _log.error("the endpoint goes on with model %s: %s", self.version, error)
        else:
            self._in_force = plan
        self._settled.set()

    @property
    def version(self) -> str:
        """The model in production that answers; empty before the first does."""
        return self._in_force.production.version if self._in_force else ""

    def follow(self, serve: Callable[[Plan], None], row: Row, *, seconds: float | None = None) -> None:
        """Look again and again, in a thread that ends with the process.

        Args:
            serve: called with what is to be served.
            row: where looks that fail are counted.
            seconds: between two looks; default: 1 where the store is a folder, else 5: there each costs a little money.
        """
        pause = seconds or (5.0 if self._bucket.folder is None else 1.0)
        threading.Thread(target=self._follow, args=(serve, row, pause), name="follower", daemon=True).start()

    def _follow(self, serve: Callable[[Plan], None], row: Row, seconds: float) -> None:
        failing, pause = "", threading.Event()
        while not pause.wait(seconds):
            try:
                plan = self.look()
            except Exception as error:  # noqa: BLE001 - whatever the store does, the endpoint goes on
                row.add("follow_failures_total")
                if str(error) != failing:  # say it once, not every second
                    _log.warning("the endpoint goes on with model %s: %s", self.version, error)
                failing = str(error)
                continue
            if failing:
                _log.warning("the store tells again which model to serve")
            failing = ""
            if plan is not None:
                serve(plan)

    def _read_policy(self) -> None:
        newest = self._policies.newest()
        if newest > self._policies.read:
            self._policy = parse(Policy, *self._policies.get(newest))
            self._policies.read = newest

    def _read_stance(self) -> None:
        """Take the newest stance that is meant; those that were only said change nothing."""
        newest = self._stances.newest()
        for number in range(newest, self._stances.read, -1):
            standing = parse(Standing, *self._stances.get(number))
            if not standing.dry_run:
                self._standing = standing
                break
        self._stances.read = newest

    def _plan(self) -> Plan:
        assert self._policy is not None
        production = self._post(self._policy.version, self._policy.threshold)
        standing = self._standing
        if standing is None or standing.candidate in (None, "", production.version, self._missing):
            return Plan(production)
        try:
            return Plan(production, self._post(str(standing.candidate)), standing.weight)
        except BundleError as error:
            _log.warning("the endpoint answers without its candidate: %s", error)
            self._missing = str(standing.candidate)
            return Plan(production)

    def _post(self, version: str, override: float | None = None) -> Post:
        if version not in self._infos:
            self._infos[version] = read_model(self._bucket, self._task, version)[0]
        threshold = self._infos[version].threshold.value if override is None else override
        floor = self._standing.threshold if self._standing else None
        return Post(version, threshold if floor is None else max(threshold, floor))

    def _with_bundles(self, plan: Plan) -> Plan:
        known = self._in_force.versions if self._in_force else frozenset()
        bundles = {version: read_model(self._bucket, self._task, version) for version in plan.versions - known}
        return replace(plan, bundles=bundles)


class _Series:
    """A series of records, each of which is written once.

    Attributes:
        read: the number of the newest one that was read.
    """

    def __init__(self, bucket: Bucket, name: str) -> None:
        self._bucket = bucket
        self._name = name
        self._newest = 0
        self.read = 0

    def newest(self) -> int:
        """The number of the newest one; 0 when there is none."""
        if self._newest == 0:
            self._newest = self._bucket.latest_number(self._name)
        else:
            while self._bucket.exists(Layout.record(self._name, self._newest + 1)):
                self._newest += 1
        return self._newest

    def get(self, number: int) -> tuple[object, str]:
        """A record, and where it lies."""
        key = Layout.record(self._name, number)
        return self._bucket.get_json(key), self._bucket.url(key)
