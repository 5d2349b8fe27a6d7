"""Parameters of an endpoint that go together, or do not."""

from __future__ import annotations

import pytest

from scones.aws.instances import check_instances
from scones.errors import SettingsError

NOW = {"Inference": "real-time", "InstanceType": "ml.m5.large", "MinInstances": "1", "MaxInstances": "4"}
OTHER = NOW | {"InstanceType": "ml.c5.large"}


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ({}, NOW),
        (NOW, NOW | {"MinInstances": "4"}),
        (NOW, OTHER | {"Inference": "serverless", "MinInstances": "9"}),
        (NOW | {"Inference": "serverless"}, OTHER),
        (NOW | {"MaxInstances": "1"}, OTHER),
    ],
)
def test_what_goes_together_passes(now: dict[str, str], then: dict[str, str]) -> None:
    check_instances(now, then)


@pytest.mark.parametrize(
    ("then", "said"),
    [
        (NOW | {"MinInstances": "5"}, "MinInstances=5 is more than MaxInstances=4"),
        (NOW | {"MaxInstances": "few"}, "MaxInstances=few: use a whole number"),
        (
            NOW | {"Inference": "serverless", "CandidateKey": "models/vehicles/v2/model.tar.gz"},
            "Inference=serverless: models/vehicles/v2/model.tar.gz is on trial.*end the trial first",
        ),
        (OTHER, "--set MaxInstances=1, which ends the scaling, then with --set InstanceType=ml.c5.large"),
    ],
)
def test_what_aws_would_refuse_after_minutes_is_told_at_once(then: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        check_instances(NOW, then)
