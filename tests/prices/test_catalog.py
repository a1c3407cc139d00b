"""Hourly prices from a list in SkyPilot's form; the rows below have its columns and its peculiarities."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import touchdown

AWS = """\
InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone,Arch
big.8,H100,8.0,192.0,2048.0,"{'Gpus': [{'Name': 'H100', 'Count': 8}]}",55.04,20.100000,north-1,n1-a,x86_64
big.8,H100,8.0,192.0,2048.0,"{'Gpus': [{'Name': 'H100', 'Count': 8}]}",55.04,21.500000,north-1,n1-b,x86_64
big.8,H100,8.0,192.0,2048.0,,60.5,,south-1,s1-a,x86_64
big.1,H100,1.0,24.0,256.0,,6.88,2.5,north-1,n1-a,x86_64
plain,,,8.0,16.0,,0.2568,0.256800,north-1,n1-a,arm64
"""
APART = """\
InstanceType,vCPUs,MemoryGiB,AcceleratorName,AcceleratorCount,GpuInfo,Region,AvailabilityZone,Price,SpotPrice
a2-1g,12.0,85.0,,,,west4,west4-a,0.81406,0.31824
,,,A100,1.0,,west4,west4-a,2.5,1.1
,,,A100,2.0,,west4,west4-a,5.0,2.2
"""


def price(tmp_path: Path, text: str = AWS, **asked: Any) -> Decimal:
    path = tmp_path / "vms.csv"
    path.write_text(text, "utf-8")
    return touchdown.hourly_price(path, **asked)


@pytest.mark.parametrize(
    ("asked", "usd"),
    [
        ({"instance": "big.8", "region": "north-1"}, "55.04"),
        ({"gpu": "h100:8", "region": "south-1"}, "60.5"),
        ({"gpu": "H100:1"}, "6.88"),
        ({"instance": "big.8", "zone": "n1-b", "spot": True}, "21.5"),
        ({"instance": "plain"}, "0.2568"),
    ],
)
def test_rows_that_agree_on_a_price(tmp_path: Path, asked: dict[str, Any], usd: str) -> None:
    assert price(tmp_path, **asked) == Decimal(usd)


def test_machines_and_accelerators_that_are_priced_apart_are_added(tmp_path: Path) -> None:
    assert price(tmp_path, APART, instance="a2-1g", gpu="A100:1") == Decimal("3.31406")
    with pytest.raises(ValueError, match="prices accelerators apart"):
        price(tmp_path, APART, instance="a2-1g")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({}, "name an instance"),
        ({"instance": "big.9"}, "no row with instance='big.9'"),
        ({"instance": "big.8"}, r"2 prices with .*differ by Region: north-1, south-1$"),
        ({"gpu": "H100", "region": "north-1"}, "differ by InstanceType: big.1, big.8"),
        ({"instance": "big.8", "region": "north-1", "spot": True}, "differ by AvailabilityZone"),
        ({"instance": "big.8", "region": "south-1", "spot": True}, "no SpotPrice in each row"),
    ],
)
def test_a_doubtful_row_is_refused_in_one_line(
    tmp_path: Path, asked: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        price(tmp_path, **asked)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["", "<html></html>", "InstanceType,Price\nbig.8,5\n", "a\0b,c\n1,2\n"]
)
def test_what_is_no_such_list_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="hourly_price: "):
        price(tmp_path, text, instance="big.8")
    with pytest.raises(OSError, match="nowhere"):
        touchdown.hourly_price(tmp_path / "nowhere.csv", instance="big.8")


def test_a_price_of_the_list_is_a_pools(tmp_path: Path) -> None:
    usd = price(tmp_path, instance="big.1")
    with touchdown.capacity("gpu", usd_per_hour=usd, hosts=["10.0.0.7"]) as pool:
        assert pool.bill().pool.usd_per_hour == Decimal("6.88")
