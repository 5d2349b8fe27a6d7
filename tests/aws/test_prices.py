"""Prices: the table that comes with Scones, and AWS's Price List, which a server on this machine plays."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

import boto3
import pytest

from scones.aws.account import Account
from scones.aws.prices import HOURS, Price, load_prices

TABLE: dict[str, Any] = json.loads((resources.files("scones.aws") / "prices.json").read_text())
ENTRIES = [(key, region, one) for key, row in TABLE["rows"].items() for region, one in row["regions"].items()]


class PriceList:
    """What the Price List holds, how it was asked, and whether it refuses."""

    def __init__(self) -> None:
        # moto has no Price List; the products have the form of its answers, and prices that the table has not
        self.products: list[dict[str, Any]] = json.loads(Path(__file__).with_name("price_list.json").read_text())
        self.asked: list[dict[str, Any]] = []
        self.refuses = False

    def answer(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append(asked)
        if self.refuses:
            return 400, {"__type": "AccessDeniedException", "Message": "not authorized to perform: pricing:GetProducts"}
        fitting = [one for one in self.products if one["serviceCode"] == asked["ServiceCode"] and _fits(one, asked)]
        first = int(asked.get("NextToken", 0))  # a product a page
        more = {"NextToken": f"{first + 1}"} if first + 1 < len(fitting) else {}
        return 200, {"FormatVersion": "aws_v1", "PriceList": [json.dumps(one) for one in fitting[first:][:1]], **more}


def _fits(product: dict[str, Any], asked: dict[str, Any]) -> bool:
    has = product["product"]["attributes"]
    return all(
        has.get(one["Field"]) in (one["Value"].split(",") if one["Type"] == "ANY_OF" else [one["Value"]])
        for one in asked["Filters"]
    )


@pytest.fixture
def price_list(monkeypatch: pytest.MonkeyPatch) -> Iterator[PriceList]:
    found = PriceList()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["X-Amz-Target"] == "AWSPriceListService.GetProducts"
            status, body = found.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        yield found
        server.shutdown()
        thread.join()


def account(region: str = "eu-west-1") -> Account:
    return Account(boto3.Session("testing", "testing", region_name=region))


# ---- the table ----


@pytest.mark.parametrize(("key", "region", "one"), ENTRIES, ids=[f"{key}-{region}" for key, region, _ in ENTRIES])
def test_every_price_names_its_source_or_says_that_it_has_none(key: str, region: str, one: dict[str, Any]) -> None:
    if "source" in one:
        assert one["source"] in TABLE["sources"]
        assert set(one) == {"usd", "source"}
    else:
        assert one["confirmed"] is False
        assert one["note"]
    tiers = one["usd"] if isinstance(one["usd"], list) else [[0, one["usd"]]]
    assert [start for start, _ in tiers] == sorted({start for start, _ in tiers})
    assert tiers[0][0] == 0
    assert all(usd > 0 for _, usd in tiers) or key == "budgets.budget"


def test_every_source_is_dated_and_used() -> None:
    assert all(one["date"] and one["what"] for one in TABLE["sources"].values())
    assert {one["source"] for _, _, one in ENTRIES if "source" in one} == set(TABLE["sources"])


def test_every_row_has_a_price_of_the_region_that_stands_in_for_others() -> None:
    assert all("us-east-1" in row["regions"] for row in TABLE["rows"].values())


def test_a_price_of_the_table_says_where_it_is_from_and_whether_that_is_sure() -> None:
    prices = load_prices("eu-west-1")
    sure, unsure = prices["sagemaker.hosting.ml.m5.xlarge"], prices["sagemaker.hosting.ml.m5.large"]
    assert (sure.usd, sure.confirmed, sure.date) == (0.257, True, "2023-12")
    assert "sagemaker-ssh-helper" in sure.source
    assert (unsure.usd, unsure.confirmed) == (0.128, False)
    assert "Studio notebook" in unsure.source
    assert prices.origin == "the table of 2026-11"


def test_a_region_that_the_table_does_not_know_takes_another_s_prices_and_says_so() -> None:
    prices = load_prices("ap-southeast-2")
    assert prices["s3.put"].region == "us-east-1"
    assert "the table does not know ap-southeast-2: these are the prices of us-east-1" in prices.notes


def test_a_row_that_a_region_lacks_takes_another_s_price_and_the_number_of_them_is_told() -> None:
    prices = load_prices("eu-central-1")
    assert prices["sagemaker.serverless.2048"].region == "us-east-1"
    assert prices["s3.put"].region == "eu-central-1"
    assert f"6 of {len(prices)} prices are those of us-east-1, not of eu-central-1" in prices.notes
    assert not [note for note in load_prices("us-east-1").notes if "those of" in note]


def test_what_is_above_a_tier_costs_the_next_tier_s_price() -> None:
    price = load_prices("us-east-1")["states.express.duration"]
    first = 3.6e6 * 0.00001667
    assert price.dollars(3.6e6) == pytest.approx(first)
    assert price.dollars(20e6) == pytest.approx(first + 14.4e6 * 0.00000833 + 2e6 * 0.00000456)
    assert price.dollars(0) == 0


def test_an_instance_s_month_is_its_hours() -> None:
    assert load_prices("us-east-1")["sagemaker.hosting.ml.m5.large"].dollars(HOURS) == pytest.approx(83.95)


# ---- the Price List ----


def test_the_price_list_is_believed_before_the_table(price_list: PriceList) -> None:
    prices = load_prices("eu-west-1", account())
    put = prices["s3.put"]
    assert put.usd == pytest.approx(0.0055)
    assert (put.confirmed, put.region) == (True, "eu-west-1")
    assert (put.source, put.date) == ("AWS Price List", "2026-11-12")
    assert put.unit == "1,000 requests"
    assert prices["lambda.duration.arm64"].tiers == ((0.0, 0.000012), (7.5e9, 0.000011))


def test_what_the_price_list_does_not_have_is_the_table_s_and_the_mixture_is_told(price_list: PriceList) -> None:
    prices = load_prices("eu-west-1", account())
    assert (prices["s3.get"].usd, prices["s3.get"].confirmed) == (0.0004, False)
    assert (
        prices.origin
        == f"AWS's Price List of 2026-11-12, and for {len(prices) - 5} of {len(prices)} rows the table of 2026-11"
    )


def test_a_free_tier_is_no_price(price_list: PriceList) -> None:
    prices = load_prices("eu-west-1", account())
    assert prices["sns.requests"].dollars(1_000_000) == pytest.approx(0.6)
    assert prices["cloudwatch.dashboards"].dollars(1) == pytest.approx(4)


def test_of_products_with_one_usage_type_the_one_with_the_right_attributes_counts(price_list: PriceList) -> None:
    assert load_prices("eu-west-1", account())["s3.storage"].usd == pytest.approx(0.03)


def test_two_prices_for_one_thing_are_none(price_list: PriceList) -> None:
    assert load_prices("eu-west-1", account())["ecr.storage"].usd == 0.10


def test_an_instance_type_that_the_table_lacks_is_asked_for(price_list: PriceList) -> None:
    key = "sagemaker.hosting.ml.m7i.large"
    assert key not in load_prices("eu-west-1")
    found = load_prices("eu-west-1", account(), instance_type="ml.m7i.large")[key]
    assert (found.usd, found.unit) == (0.135, "hour")
    assert key not in load_prices("eu-west-1", account(), instance_type="ml.m7i.huge")


def test_the_region_s_own_names_are_asked_for(price_list: PriceList) -> None:
    assert load_prices("us-east-1", account("us-east-1"))["s3.put"].usd == pytest.approx(0.0049)
    values = [one["Value"] for asked in price_list.asked for one in asked["Filters"]]
    assert all(len(value) <= 1024 for value in values)  # the most that a filter takes
    assert any("USE1-Host:ml.m5.large" in value for value in values)


def test_a_refusal_is_told_once_and_the_table_stands(price_list: PriceList) -> None:
    price_list.refuses = True
    prices = load_prices("eu-west-1", account())
    assert len(price_list.asked) == 1
    assert prices.origin == "the table of 2026-11"
    [told] = [note for note in prices.notes if "pricing:GetProducts" in note]
    assert told.startswith("cannot ask for AWS's prices: no permission for GetProducts")


def test_a_price_list_that_does_not_answer_is_told_and_the_table_stands(
    price_list: PriceList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", "http://127.0.0.1:9")
    prices = load_prices("eu-west-1", account())
    assert prices["s3.put"].usd == 0.005
    assert [note for note in prices.notes if "does not answer" in note]


def test_a_price_in_another_currency_or_without_one_is_none(price_list: PriceList) -> None:
    for one in price_list.products:
        for term in one["terms"]["OnDemand"].values():
            for dimension in term["priceDimensions"].values():
                dimension["pricePerUnit"] = {"CNY": "1.0"}
    assert load_prices("eu-west-1", account()).origin == "the table of 2026-11"


def test_a_price_counts_from_zero_to_any_quantity() -> None:
    price = Price("k", "w", "u", 1, ((0.0, 2.0), (10.0, 1.0)), "s", "d", confirmed=True, region="us-east-1")
    assert price.dollars(15) == 25
    assert math.isfinite(price.dollars(1e15))
