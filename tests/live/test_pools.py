"""``touchdown.capacity``: real calls to a host of one's own, and the bill of the pool."""

from decimal import Decimal

import anthropic
import pytest

import touchdown
from touchdown.testing import Provider, capture


def test_two_tasks_share_a_pool_and_a_hosted_call_gets_nothing_of_it() -> None:
    with capture(), Provider(lambda _: "ok") as own, Provider(lambda _: "ok") as hosted:
        port = own.url.rpartition(":")[2].strip("/")
        with touchdown.capacity("gpu", usd_per_hour=7200, hosts=[f"127.0.0.1:{port}"]) as pool:
            ids = []
            for url in (own.url, own.url, hosted.url):
                client = anthropic.Anthropic(base_url=url, api_key="none")
                with client, touchdown.task("asked") as task:
                    ids.append(task.id)
                    client.messages.create(
                        model="claude-sonnet-5",
                        max_tokens=9,
                        messages=[{"role": "user", "content": "hi"}],
                    )
        bill = pool.bill()
        assert bill == pool.bill()
        (told,) = touchdown.summary().report().summary.pools
        assert (told.name, told.total_usd, told.idle_usd) == ("gpu", bill.total_usd, bill.idle_usd)
        assert set(told.by_phase) == set(told.by_task) == set(ids[:2])
        assert "your hardware:" in str(touchdown.summary())
    with capture():
        assert touchdown.summary().report().summary.pools == []
    assert set(bill.by_task) == set(ids[:2])
    assert sum(bill.by_task.values(), bill.idle_usd) == bill.total_usd
    assert bill.idle_usd > 0


def test_a_sole_holder_pays_for_what_waits_for_it() -> None:
    with capture(), Provider(lambda _: "ok") as own:
        client = anthropic.Anthropic(base_url=own.url, api_key="none")
        with (
            client,
            touchdown.capacity(
                "gpu", usd_per_hour="7200", hosts="127.0.0.1", exclusive=True
            ) as pool,
            touchdown.task("held") as task,
        ):
            for _ in range(2):
                client.messages.create(
                    model="claude-sonnet-5",
                    max_tokens=9,
                    messages=[{"role": "user", "content": "hi"}],
                )
        bill = pool.bill()
    assert set(bill.gpu_waits_on_cpu) == set(bill.by_task) == {task.id}


@pytest.mark.parametrize("price", ["-1", "nan", "much"])
def test_what_is_no_price_is_refused(price: str) -> None:
    with pytest.raises(ValueError, match="usd_per_hour"):
        touchdown.capacity("gpu", usd_per_hour=price, hosts=["h"])
    with pytest.raises(ValueError, match="hosts"):
        touchdown.capacity("gpu", usd_per_hour=Decimal(1), hosts=[])
