"""Messages to a topic of Amazon SNS."""

from __future__ import annotations

import json
from typing import Any, Protocol, cast

from scones.errors import NotificationError, NotificationRefused
from scones.notifications.message import Message
from scones.notifications.notification import one_line

__all__ = ["Publisher", "SnsChannel", "sns_client"]

_TEMPORARY = {"InternalError", "InternalFailure", "KMSThrottling", "RequestLimitExceeded", "ServiceUnavailable"}
_MOST_BYTES = 200_000  # of a message; SNS takes 262,144 with its attributes


class Publisher(Protocol):
    """What is used of boto3's client."""

    def publish(self, **given: Any) -> Any:
        """Publish, see the SNS API Reference, "Publish"."""
        ...


def sns_client(topic: str, timeout: float) -> Publisher:
    """Make the client for a topic: in the topic's region, with the credentials that boto3 finds.

    Args:
        topic: its ARN.
        timeout: seconds to wait for a connection, and for the answer.
    """
    from botocore.config import Config
    from botocore.session import Session

    config = Config(connect_timeout=timeout, read_timeout=timeout, retries={"total_max_attempts": 1})
    return cast("Publisher", Session().create_client("sns", region_name=topic.split(":")[3], config=config))


class SnsChannel:
    """Publishes messages to a topic, which hands them on to mail, queues, functions or telephones.

    The attribute ``kind`` (a list) and ``source`` are there for filter policies.

    Args:
        topic: its ARN.
        client: from :func:`sns_client`.
    """

    def __init__(self, topic: str, client: Publisher) -> None:
        self._topic = topic
        self._client = client
        self._place = f"the topic {topic.rpartition(':')[2]}"

    def send(self, message: Message) -> None:
        """Publish a message once; raises as :meth:`scones.notifications.Channel.send`."""
        from botocore import exceptions

        kinds = sorted({digest.kind for digest in message.digests})
        given: dict[str, Any] = {
            "TopicArn": self._topic,
            "Subject": one_line(message.title.encode("ascii", "replace").decode(), 100).replace("…", "."),
            "Message": message.text.encode()[:_MOST_BYTES].decode(errors="ignore"),
            "MessageAttributes": {
                "kind": {"DataType": "String.Array", "StringValue": json.dumps(kinds)},
                "source": {"DataType": "String", "StringValue": one_line(message.source) or "scones"},
            },
        }
        if self._topic.endswith(".fifo"):
            given |= {"MessageGroupId": "notifications", "MessageDeduplicationId": message.id}
        try:
            self._client.publish(**given)
        except exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            final = status < 500 and "Throttl" not in code and code not in _TEMPORARY
            kind = NotificationRefused if final else NotificationError
            raise kind(f"{self._place} answers {code}: {one_line(error.response['Error']['Message'])}") from error
        except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
            raise NotificationError(f"{self._place} cannot be reached ({one_line(str(error))})") from error
        except exceptions.BotoCoreError as error:
            raise NotificationRefused(f"{self._place} cannot be used: {one_line(str(error))}") from error
