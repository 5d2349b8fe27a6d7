"""``scones evaluate``."""

from __future__ import annotations

from typing import Annotated

import typer

from scones.cli._common import (
    BucketOption,
    JsonOption,
    StoreOption,
    TaskOption,
    console,
    print_json,
    progress_report,
    warn_of_known,
)


def evaluate(
    task: TaskOption = None,
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="A version, or an alias: production, candidate")
    ] = "candidate",
    dataset: Annotated[
        str | None, typer.Option(metavar="VERSION", help="A staged dataset  [the one the model was trained on]")
    ] = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a model on test pictures that nothing was chosen on, and write a report with plots.

    Accuracy with its confidence interval, confusion matrix, calibration error beside what luck alone
    would show, risk against coverage, ROC and precision-recall curves, the worst mistakes; and how all this
    holds on other photographs of the test pictures and on damaged ones. Both evaluation.json and
    evaluation.html are written beside the model.

    Next: `scones compare production candidate`
    """
    from scones.registry import load_model
    from scones.settings import Settings
    from scones.staging import load_dataset
    from scones.store import open_bucket
    from scones.task import load_task
    from scones.training import evaluate as evaluate_model
    from scones.training import save_evaluation

    settings = Settings.load(task=task, store=store, bucket=bucket)
    chosen = load_task(settings.task)
    place = open_bucket(settings.store, settings.bucket)
    classifier = load_model(place, chosen.name, model, threads=2)
    staged = load_dataset(place, chosen.name, dataset or classifier.info.dataset)
    with progress_report(as_json) as report:
        figures = evaluate_model(classifier, staged, chosen, report=report)
    page = place.url(save_evaluation(place, figures, staged))
    known = warn_of_known(place, classifier.info, staged)
    if as_json:
        print_json({"report": page, "known_test_pictures": known, **figures})
        return
    err = console()
    low, high = figures["accuracy_interval"]
    held = figures["at_threshold"]
    err.print(
        f"accuracy {figures['accuracy']:.1%} (95 % interval {low:.1%} to {high:.1%}) on {figures['n']} test pictures"
    )
    err.print(
        f"calibration error {figures['ece']:.3f}; a perfectly calibrated model would show {figures['ece_null']:.3f} "
        "by luck alone"
    )
    err.print(
        f"at threshold {figures['threshold']['value']:.4f} it decides {held['coverage']:.1%} alone, "
        f"{held['risk']:.1%} of them wrong ({held['wrong']} of {held['accepted']})"
    )
    weakest = min(figures["robustness"]["conditions"], key=lambda row: row["accuracy"])
    err.print(
        f"of {len(figures['robustness']['conditions'])} ways to distort pictures the worst is {weakest['name']}, "
        f"{weakest['setting']}: accuracy {weakest['accuracy']:.1%}"
    )
    typer.echo(page)
