"""Prometheus' text, however it comes; and counters that went back, were renamed or are gone."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.captured import text_of
from touchdown.engines.exposition import (
    RESTARTED,
    Counter,
    Exposition,
    NotAnExposition,
    counted,
    read_exposition,
)
from touchdown.engines.vllm import Vllm

HITS = Counter("hits", ("hits_total", "old_hits_total"))


def test_a_sample_in_every_shape() -> None:
    page = read_exposition(
        """
# HELP a:b_total With, a comment {x="1"} 9
a:b_total{le="+Inf",name="two\\"quo\\\\tes, and }brace"} 1.5e3 1700000000000
bare 7
nothing{x="1"} NaN
a:b_bucket{le="0.1"} 4
a:b_created 1.7e9
"""
    )
    assert page.series == {
        "a_b_total": {(("le", "+Inf"), ("name", 'two"quo\\tes, and }brace')): 1500.0},
        "bare": {(): 7.0},
    }
    assert page.label("a_b_total", "le") == "+Inf"
    assert page.value("bare") == 7.0
    assert page.value("gone") is None


@pytest.mark.parametrize(
    "text",
    ["<!doctype html><html>login</html>", '[{"iter": 1}]', '{"detail":"Not Found"}', "\x00\x01"],
)
def test_what_is_no_exposition_is_refused(text: str) -> None:
    with pytest.raises(NotAnExposition):
        read_exposition(text)


def test_an_empty_page_is_one_without_series() -> None:
    assert read_exposition("\n# only comments\n") == Exposition({})


def test_colons_that_a_relay_made_underscores_are_the_same_names() -> None:
    text = text_of("vllm", "metrics-server-after.txt")
    assert read_exposition(text) == read_exposition(text.replace("vllm:", "vllm_"))


def pages(before: str, after: str) -> tuple[Exposition, Exposition]:
    return read_exposition(before), read_exposition(after)


def test_a_restart_makes_the_figure_unknown_and_says_why() -> None:
    grown = counted(*pages("hits_total 9", "hits_total 3"), [HITS])
    assert (grown.figures, grown.not_observable) == ({}, {"hits": RESTARTED})


def test_a_series_that_is_gone_is_a_restart_too() -> None:
    both = 'hits_total{engine="0"} 9\nhits_total{engine="1"} 5'
    grown = counted(*pages(both, 'hits_total{engine="0"} 12'), [HITS])
    assert grown.not_observable == {"hits": RESTARTED}


def test_a_series_that_is_new_began_at_nothing() -> None:
    both = 'hits_total{engine="0"} 9\nhits_total{engine="1"} 5'
    assert counted(*pages('hits_total{engine="0"} 7', both), [HITS]).figures == {"hits": 7.0}


def test_an_older_name_is_found_and_a_newer_unknown_one_is_not_observable() -> None:
    assert counted(*pages("old_hits_total 1", "old_hits_total 4"), [HITS]).figures == {"hits": 3.0}
    grown = counted(*pages("new_hits_total 1", "new_hits_total 4"), [HITS])
    assert grown.not_observable == {"hits": "the server shows no hits_total"}


def test_ranks_of_tensor_parallelism_count_the_same_tokens() -> None:
    ranks = "\n".join(f'hits_total{{tp_rank="{rank}"}} 10' for rank in range(4))
    assert counted(*pages("", ranks), [HITS]).figures == {"hits": 10.0}


def test_every_metric_of_vllm_renamed_leaves_reasons_and_nothing_else() -> None:
    before, after = (
        read_exposition(text_of("vllm", f"metrics-server-{when}.txt").replace("vllm:", "vllm:v2_"))
        for when in ("before", "after")
    )
    grown = counted(before, after, Vllm().counters)
    assert grown.figures == {}
    assert grown.not_observable.keys() == {counter.figure for counter in Vllm().counters}


@given(st.lists(st.lists(st.integers(0, 10**6), min_size=3, max_size=3), min_size=2, max_size=6))
def test_steps_add_up_to_the_whole(steps: list[list[int]]) -> None:
    """However often a server that only counts up is looked at, the figures come to the same."""
    totals = [
        [sum(step[i] for step in steps[: n + 1]) for i in range(3)] for n in range(len(steps))
    ]
    texts = [
        "\n".join(f'hits_total{{engine="{index}"}} {value}' for index, value in enumerate(row))
        for row in totals
    ]
    read = [read_exposition(text) for text in texts]
    one_by_one = sum(counted(a, b, [HITS]).figures["hits"] for a, b in pairwise(read))
    assert one_by_one == counted(read[0], read[-1], [HITS]).figures["hits"]


@given(st.text(max_size=400))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        page = read_exposition(text)
    except NotAnExposition:
        return
    assert all(
        isinstance(value, float) for series in page.series.values() for value in series.values()
    )
