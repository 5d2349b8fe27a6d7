"""The one place that names keys."""

from __future__ import annotations

__all__ = ["Layout"]


class Layout:
    """The names of all keys. Nothing that the system writes lies under ``ARRIVALS``."""

    ARRIVALS = "arrivals"
    CAPTURE = "capture"
    REVIEWS = "reviews"
    ANSWERS = "answers"
    EXAMPLES = "examples"
    RESULTS = "results"
    DEAD_LETTERS = "dead-letters"
    RETRIES = "dead-letter-retries"

    @staticmethod
    def record(series: str, number: int) -> str:
        """A numbered record of a series."""
        return f"{series}/{number:08d}.json"

    @staticmethod
    def dataset(task: str, version: str = "") -> str:
        """A task's datasets, or one version: pictures/, manifest.jsonl, *.lst, checks.json, dataset.json."""
        return f"datasets/{task}/{version}".rstrip("/")

    @staticmethod
    def dataset_series(task: str) -> str:
        """Series of the versions that were staged for a task; the newest is what `scones train` takes."""
        return f"staged/{task}"

    @staticmethod
    def model(task: str, version: str = "") -> str:
        """A task's models, or one: model.tar.gz, bundle.json, evaluation.json, evaluation.html."""
        return f"models/{task}/{version}".rstrip("/")

    @staticmethod
    def policy_series(task: str, alias: str = "production") -> str:
        """Series of policies: which model version and threshold an alias of a task names."""
        return f"policies/{task}/{alias}"

    @staticmethod
    def claim_series(arrival: str) -> str:
        """Series of the executions that claimed an arrival (its path); the newest holds it."""
        return f"claims/{arrival}"

    @staticmethod
    def route(arrival: str) -> str:
        """Where an arrival's driver was sent: its result."""
        return f"routes/{arrival}.json"

    @staticmethod
    def result(arrival: str) -> str:
        """How an arrival ended that no driver was sent for by label: the workflow writes it."""
        return f"{Layout.RESULTS}/{arrival}.json"

    @staticmethod
    def review(arrival: str) -> str:
        """That a person was asked about a picture; ``review.asl.json`` writes it."""
        return f"{Layout.REVIEWS}/{arrival}.json"

    @staticmethod
    def answer(arrival: str) -> str:
        """What the person said: the first one's answer stands."""
        return f"{Layout.ANSWERS}/{arrival}.json"

    @staticmethod
    def example(arrival: str) -> str:
        """The picture with the label that the person gave it; ``review.asl.json`` writes it."""
        return f"{Layout.EXAMPLES}/{arrival}.json"

    @staticmethod
    def dead_letter(key: str) -> str:
        """Why a picture under ``arrivals/`` cannot be worked, by its key: ``a.png`` and ``a.jpg`` are two."""
        return f"{Layout.DEAD_LETTERS}/{key.removeprefix(f'{Layout.ARRIVALS}/')}.json"

    @staticmethod
    def dead_letter_retry(key: str) -> str:
        """That a person wants it worked anew."""
        return f"{Layout.RETRIES}/{key.removeprefix(f'{Layout.ARRIVALS}/')}.json"

    @staticmethod
    def batch(name: str) -> str:
        """What ``batch.asl.json`` found, by its execution's name: JSON lines, and a manifest of the files."""
        return f"batches/{name}"

    @staticmethod
    def orders(depot: str) -> str:
        """A depot's open orders."""
        return f"orders/{depot}"

    @staticmethod
    def order(depot: str, order_id: str, distance_km: float) -> str:
        """An open order. Its distance is part of the name, so that a list of the names is enough to choose by."""
        return f"{Layout.orders(depot)}/{distance_km!r}_{order_id}.json"

    @staticmethod
    def order_claim(depot: str, order_id: str = "") -> str:
        """Who has an order, for ever; without ``order_id`` the prefix of all claims of a depot, which nobody lists."""
        return f"order-claims/{depot}/{order_id}.json" if order_id else f"order-claims/{depot}"

    @staticmethod
    def assignment_series(arrival: str) -> str:
        """Series of the orders that an arrival went for; the newest is its own, or not yet decided."""
        return f"assignments/{arrival}"

    @staticmethod
    def monitor_series(endpoint: str) -> str:
        """Series of what the scheduled monitor saw of an endpoint's answers, decided and did."""
        return f"monitor/{endpoint}"

    @staticmethod
    def watch_series(endpoint: str) -> str:
        """Series of what the monitor saw at each look at an endpoint's capture."""
        return f"watch/{endpoint}"

    @staticmethod
    def watch_state(endpoint: str, name: str = "") -> str:
        """What a look leaves for the next; without ``name`` of all looks."""
        return f"watch-state/{endpoint}/{name}".rstrip("/")

    @staticmethod
    def stance_series(endpoint: str) -> str:
        """Series of how an endpoint is to be run: who decided it, and why."""
        return f"stances/{endpoint}"

    @staticmethod
    def health(task: str, version: str) -> str:
        """What a model's pictures and answers look like in health: what the monitor compares with."""
        return f"{Layout.model(task, version)}/health.npz"

    @staticmethod
    def ground_truth(endpoint: str, name: str = "") -> str:
        """What captured pictures really showed, in SageMaker's format: a file a sitting; without ``name`` all."""
        return f"ground-truth/{endpoint}/{name}".rstrip("/")

    @staticmethod
    def audit(endpoint: str, name: str = "") -> str:
        """Pictures that were drawn for people to judge, so that accuracy can be told; without ``name`` all."""
        return f"audits/{endpoint}/{name}.json" if name else f"audits/{endpoint}"

    @staticmethod
    def capture_day(name: str, day: str = "") -> str:
        """What was summed up of a day's capture, so that only new files are read; without ``day`` of all days."""
        return f"capture-days/{name}/{day}.json" if day else f"capture-days/{name}"

    @staticmethod
    def report(name: str) -> str:
        """A report for people."""
        return f"reports/{name}.html"
