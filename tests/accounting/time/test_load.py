"""What a task asks of its host, and the racks that it is held beside."""

import re

from msgspec.structs import replace

from tests.accounting.build import SECOND
from tests.accounting.test_time import TASK, account, model, tool
from touchdown.accounting.summary import summarize
from touchdown.accounting.time.load import add_loads
from touchdown.accounting.time.racks import RACKS
from touchdown.records import CallClock


def test_cpu_and_tools_of_a_task() -> None:
    task = replace(TASK, cpu_s=3.0, children_cpu_s=5.0)
    found = account(
        model("c1", 0, 20),
        tool("a", 20, 10),
        tool("b", 25, 10),
        tool("c", 50, 5),
        tool("d", 50, 0),
        task=task,
    )
    load = found.time.load
    assert load is not None
    assert load.cores_per_call == 0.4
    assert (load.tools_peak, load.tools_mean) == (2, 25 / 20)
    assert summarize([found]).load == load


def test_cpu_that_clients_used_is_a_part_of_it() -> None:
    task = replace(TASK, cpu_s=3.0, children_cpu_s=0.0)
    first = replace(model("c1", 0, 20), clock=CallClock(cpu_before_ns=500, cpu_after_ns=70))
    stream = replace(model("c2", 30, 5), clock=CallClock(cpu_before_ns=8))
    load = account(first, stream, model("c3", 40, 5), task=task).time.load
    assert load is not None
    assert load.client_cpu_ns == 578
    assert (add_loads([load, load]) or load).client_cpu_ns == 2 * 578
    assert account(model("c3", 40, 5), task=task).time.load == replace(
        load, client_cpu_ns=None, model_ns=5 * SECOND
    )


def test_a_source_without_cpu_tells_no_cores_and_is_in_no_sum() -> None:
    load = account(model("c1", 0, 20)).time.load
    assert load is not None
    assert load.cores_per_call is None
    assert add_loads([load]) is None


def test_racks_are_data_with_sources_and_dates() -> None:
    assert {rack.name: rack.cores_per_gpu for rack in RACKS} == {
        "GB200 NVL72": 36,
        "Vera Rubin NVL72": 44,
    }
    for rack in RACKS:
        assert rack.sources
        assert all(source.startswith("https://") for source in rack.sources)
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", rack.read_on)
