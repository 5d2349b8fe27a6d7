"""Ask AWS's Price List what a unit costs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from scones.aws.account import Account, explained
from scones.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_pricing.type_defs import FilterTypeDef

__all__ = ["Answered", "Asked", "ask_price_list"]

_PREFIXES = {
    "us-east-1": "USE1",
    "us-east-2": "USE2",
    "us-west-1": "USW1",
    "us-west-2": "USW2",
    "ca-central-1": "CAN1",
    "eu-central-1": "EUC1",
    "eu-north-1": "EUN1",
    "eu-south-1": "EUS1",
    "eu-west-1": "EU",
    "eu-west-2": "EUW2",
    "eu-west-3": "EUW3",
    "ap-northeast-1": "APN1",
    "ap-northeast-2": "APN2",
    "ap-south-1": "APS3",
    "ap-southeast-1": "APS1",
    "ap-southeast-2": "APS2",
    "sa-east-1": "SAE1",
}
"""What usage types begin with. Those of us-east-1 do so with some services only."""
_AT_ONCE = 12
"""Usage types in one filter, which may have 1,024 characters."""


@dataclass(frozen=True)
class Asked:
    """A price to ask for.

    Attributes:
        key: its name here, as ``s3.put``.
        per: how many single things the wanted unit has.
        service: the service's code, as ``AmazonS3``.
        usage: its usage types, without the region; the first that there is counts.
        attributes: what else the product must have, where a usage type is not enough.
        everywhere: whether it is the same product in all regions.
    """

    key: str
    per: float
    service: str
    usage: Sequence[str]
    attributes: Mapping[str, str] = field(default_factory=dict)
    everywhere: bool = False


@dataclass(frozen=True)
class Answered:
    """What the Price List says.

    Attributes:
        tiers: from which quantity of single things on, a unit costs how many US dollars; free tiers are left out.
        date: when AWS published it, as ``2026-10-01``.
    """

    tiers: tuple[tuple[float, float], ...]
    date: str


def ask_price_list(account: Account, region: str, asked: Iterable[Asked]) -> tuple[dict[str, Answered], list[str]]:
    """Ask for prices, a few requests a service.

    Args:
        account: may do ``pricing:GetProducts``.
        region: whose prices.
        asked: the prices.

    Returns:
        What was answered, by key, and in words what went wrong. What is not there, or there more than once at
        different prices, is not answered. After the first failure nothing more is asked.
    """
    found: dict[str, Answered] = {}
    for (service, everywhere), some in groupby(
        sorted(asked, key=lambda one: (one.service, one.everywhere)), lambda one: (one.service, one.everywhere)
    ):
        rows = list(some)
        names = [name for row in rows for name in _usage_types(row, region)]
        try:
            with explained("ask for AWS's prices"):
                products = [
                    json.loads(text)
                    for start in range(0, len(names), _AT_ONCE)
                    for text in _products(account, service, names[start : start + _AT_ONCE], region, everywhere)
                ]
        except (AwsError, ValueError) as error:
            return found, [f"{error} (for what was not answered, the table stands)"]
        for row in rows:
            if answer := _answer(row, region, products):
                found[row.key] = answer
    return found, []


def _usage_types(row: Asked, region: str) -> list[str]:
    prefix = _PREFIXES.get(region)
    return [full for name in row.usage for full in ([name, f"{prefix}-{name}"] if prefix else [name])]


def _products(account: Account, service: str, names: list[str], region: str, everywhere: bool) -> Iterator[str]:
    wanted: list[FilterTypeDef] = [{"Type": "ANY_OF", "Field": "usagetype", "Value": ",".join(names)}]
    if not everywhere:
        wanted.append({"Type": "TERM_MATCH", "Field": "regionCode", "Value": region})
    for page in account.pricing.get_paginator("get_products").paginate(ServiceCode=service, Filters=wanted):
        yield from page["PriceList"]


def _answer(row: Asked, region: str, products: list[dict[str, Any]]) -> Answered | None:
    for name in row.usage:
        names = {name, f"{_PREFIXES.get(region)}-{name}"}
        fitting = [_read(product, row.per) for product in products if _fits(product, names, row.attributes)]
        answers = {answer for answer in fitting if answer is not None}
        if answers:
            return answers.pop() if len(answers) == 1 else None
    return None


def _fits(product: dict[str, Any], names: set[str], attributes: Mapping[str, str]) -> bool:
    has = product.get("product", {}).get("attributes", {})
    return has.get("usagetype") in names and all(has.get(name) == value for name, value in attributes.items())


def _read(product: dict[str, Any], per: float) -> Answered | None:
    """The tiers of a product; None where it has no price in US dollars."""
    try:
        [term] = product["terms"]["OnDemand"].values()
        tiers = sorted(
            (float(one["beginRange"]), float(one["pricePerUnit"]["USD"]) * per)
            for one in term["priceDimensions"].values()
        )
        date = str(product["publicationDate"])[:10]
    except (KeyError, TypeError, ValueError):
        return None
    paid = [tier for tier in tiers if tier[1] > 0]
    # a free first tier is left out: what follows it then counts from the first piece
    return Answered(((0.0, paid[0][1]), *paid[1:]), date) if paid else None
