"""What an estimate of costs takes for granted."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Assumptions"]


class Assumptions(BaseModel):
    """Sizes, times and shares. Measure yours, and give them instead.

    Example:
        >>> Assumptions(unsure_share=0.02).unsure_share
        0.02
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    picture_bytes: Annotated[float, Field(gt=0, description="Size of a picture as it arrives")] = 100_000
    sent_bytes: Annotated[
        float,
        Field(gt=0, description="Size of a picture as the endpoint gets it: larger ones are shrunk to 96 kB at most"),
    ] = 90_000
    unsure_share: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Share of the pictures that a person is asked about: 1 less the coverage of `scones evaluate`",
        ),
    ] = 0.09
    serialize_seconds: Annotated[
        float, Field(gt=0, description="serialize_image: 8 ms of a processor, two requests to S3")
    ] = 0.10
    classify_seconds: Annotated[float, Field(gt=0, description="classify_image: it waits for the endpoint")] = 0.15
    filter_seconds: Annotated[float, Field(gt=0, description="filter_inferences: it only compares")] = 0.01
    route_seconds: Annotated[float, Field(gt=0, description="route_driver: six requests to S3")] = 0.25
    state_seconds: Annotated[float, Field(ge=0, description="What Step Functions adds to each state")] = 0.02
    express_megabytes: Annotated[int, Field(gt=0, description="Memory of an Express execution, by 64 MB")] = 64
    serverless_seconds: Annotated[
        float,
        Field(
            gt=0,
            description="A serverless endpoint, a picture: 8 ms of a processor, the rest for slower ones and starts",
        ),
    ] = 0.10
    peak: Annotated[
        float, Field(ge=1, description="The busiest hour, in mean hours; real-time instances are counted for it")
    ] = 3.0
    capture_files: Annotated[
        float, Field(gt=0, description="Files a day that SageMaker's own capture writes at most: one a minute")
    ] = 1_440
    deletion_events: Annotated[
        int,
        Field(ge=0, description="Events of a versioned object that expires: hidden by a marker, then gone for good"),
    ] = 2
    record_bytes: Annotated[float, Field(ge=0, description="Records of a picture (claim, order, route …) together")] = (
        4_000
    )
    record_days: Annotated[float, Field(ge=0, description="Days of them that are counted; nothing deletes them")] = 365
    log_bytes: Annotated[float, Field(ge=0, description="Logs of a sure picture: functions log warnings only")] = 0
    unsure_log_bytes: Annotated[float, Field(ge=0, description="Logs of an unsure one: the filter fails by name")] = (
        4_000
    )
    traced_a_second: Annotated[float, Field(ge=0, description="Executions a second that X-Ray traces in any case")] = 0
    traced_share: Annotated[float, Field(ge=0, le=1, description="Share of the others that it traces")] = 0.05
    monitor_seconds: Annotated[float, Field(ge=0, description="The monitor, a run, without files")] = 3.0
    monitor_file_seconds: Annotated[float, Field(ge=0, description="A file of the capture that it reads")] = 0.03
    monitor_files: Annotated[float, Field(ge=0, description="Files that a run reads at most")] = 2_000
    image_gigabytes: Annotated[float, Field(ge=0, description="The container's images in ECR")] = 0.6
    artefact_gigabytes: Annotated[
        float, Field(ge=0, description="Packages, models and datasets in the artefact bucket")
    ] = 0.2
    build_minutes: Annotated[
        float, Field(ge=0, description="Minutes of CodeBuild a month: one build of the container")
    ] = 6
