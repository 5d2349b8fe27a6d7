"""One typed place for every setting: flags beat the environment, which beats ``scones.toml``, which beats defaults."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from scones.errors import SettingsError

__all__ = ["Settings"]

_Address = Annotated[str, Field(pattern=r"^[^\s\p{C}@<>,;]+@[^\s\p{C}@<>,;]+$")]


def _listed(value: Any) -> Any:
    """A list, as a variable gives it: between commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _no_part(name: str) -> str:
    """A stack's name; none that another stack's part has."""
    if name.endswith(("-bootstrap", "-artefacts")):
        raise ValueError("a part of another stack is named so: choose another name")
    return name


class Settings(BaseModel):
    """What a run of Scones is told from outside.

    Each field can be given as a flag, as an environment variable (``SCONES_`` and the name in capitals)
    or in ``scones.toml`` in the working directory. In ``scones.toml`` an unknown key is an error.

    Example:
        >>> Settings.load(environ={"SCONES_BUCKET": "spring"}, file=None).bucket
        'spring'
        >>> Settings.load(environ={"SCONES_BUCKET": "spring"}, file=None, bucket="autumn").bucket
        'autumn'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    store: str = Field(
        ".scones/store",
        description="Where objects live: a folder (or file:// URL) that holds buckets as folders, or s3://",
    )
    bucket: str = Field("scones", description="The bucket (on one machine: the folder in the store)")
    task: str = Field("vehicles", description="The task to work on: a name from `scones task list`, or a TOML file")
    depot: str = Field("main", description="The depot of an arrival whose key names none")
    depot_file: Path | None = Field(
        None, description="The depot's bays and ranges, a TOML file; default: a built-in one"
    )
    journal: Path = Field(Path(".scones/journal.sqlite"), description="The workflow engine's journal, an SQLite file")
    endpoint: str = Field("scones", description="The endpoint's name")
    endpoint_url: str | None = Field(
        None,
        pattern=r"^https?://[^/]",
        description="The endpoint's address when it is not AWS's own, as http://127.0.0.1:8080 "
        "(AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME says the same)",
    )
    endpoint_timeout: float = Field(10.0, gt=0, description="Seconds to wait for the endpoint's answer")
    threshold_floor: float = Field(
        0.0, ge=0, le=1, description="The least threshold in force, 0 to 1, whatever the endpoint says"
    )
    capture_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the answers, 0 to 1, that classify_image captures: for endpoints that capture none",
    )
    claim_lease: float = Field(
        300.0, gt=0, description="Seconds after which an arrival whose execution left no result may be taken over"
    )
    review_seconds: int = Field(
        3600, ge=1, le=99_999_999, description="Seconds that a person has for an unsure picture, then the safe default"
    )
    cifar100: Path | None = Field(None, description="Path of cifar-100-python.tar.gz, if you have it already")
    stack: Annotated[str, AfterValidator(_no_part)] = Field(
        "scones",
        pattern=r"^[a-z][a-z0-9-]{0,23}[a-z0-9]$",
        description="The name of the application's stack on AWS; what it holds is named after it",
    )
    drift_limit: float = Field(
        0.15,
        gt=0,
        lt=1,
        description="How far the mix of labels may be from the reference before the monitor acts: the share of "
        "answers, 0 to 1, that would have to change",
    )
    drift_floor: float = Field(
        0.99, ge=0, le=1, description="What the monitor raises `threshold_floor` to when the answers drift, 0 to 1"
    )
    monitor_acts: bool = Field(
        default=False, description="Whether the monitor does what it decides, or only says what it would do"
    )
    monitor_gap: float = Field(
        3600.0,
        ge=0,
        description="Seconds that nothing may be captured before `scones monitor watch` calls it an alarm; 0: for ever",
    )
    notify_channels: Annotated[
        tuple[Literal["log", "console", "webhook", "email", "sns"], ...], BeforeValidator(_listed)
    ] = Field(("log",), description="Where failures, review requests and drift alarms are told")
    notify_window: float = Field(60.0, gt=0, description="Seconds between two messages about the same thing")
    notify_rate: float = Field(20.0, ge=1, description="Messages a minute through one channel, at most")
    notify_timeout: float = Field(10.0, gt=0, description="Seconds to wait for a receiver's answer")
    notify_webhook_url: SecretStr | None = Field(None, description="Where messages are posted")
    notify_webhook_secret: SecretStr | None = Field(
        None, description="What they are signed with: `whsec_` and 24 to 64 bytes in base64"
    )
    notify_email_host: str | None = Field(None, description="The mail server")
    notify_email_port: int | None = Field(
        None, ge=1, le=65535, description="Its port; default: 587, 465 or 25, after `notify_email_security`"
    )
    notify_email_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection to it is kept secret"
    )
    notify_email_user: str | None = Field(None, description="Whom to log in as, where it asks for that")
    notify_email_password: SecretStr | None = Field(None, description="The password for it")
    notify_email_from: _Address | None = Field(None, description="The sender's address")
    notify_email_to: Annotated[tuple[_Address, ...], BeforeValidator(_listed)] = Field(
        (), description="The receivers' addresses"
    )
    notify_sns_topic: str | None = Field(
        None, pattern=r"^arn:[^:]+:sns:[^:]+:[^:]+:[^:]+$", description="The ARN of the topic on AWS"
    )

    @classmethod
    def load(
        cls,
        *,
        environ: Mapping[str, str] | None = None,
        file: Path | None = Path("scones.toml"),
        **flags: Any,
    ) -> Settings:
        """Gather the settings from all places.

        Args:
            environ: the environment; default: this process's.
            file: the TOML file; it need not exist.
            **flags: values given on the command line; None means "not given".

        Raises:
            SettingsError: an unknown key in the file, or a value of the wrong kind.
        """
        environ = os.environ if environ is None else environ
        values = _read_file(file) if file is not None and file.is_file() else {}
        if url := environ.get("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"):
            values["endpoint_url"] = url
        for name in cls.model_fields:
            if value := environ.get(f"SCONES_{name.upper()}"):  # empty is as good as not there
                values[name] = value
        values |= {name: value for name, value in flags.items() if value is not None}
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            if first["type"] == "extra_forbidden":
                known = ", ".join(cls.model_fields)
                raise SettingsError(f"unknown setting {name!r}: the settings are {known}") from error
            secret = SecretStr in get_args(cls.model_fields[str(first["loc"][0])].annotation)
            given = "(a secret)" if secret else repr(first["input"])
            raise SettingsError(f"setting {name}={given}: {first['msg']}") from error


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file} cannot be read as TOML ({error}): correct it or move it away") from error
