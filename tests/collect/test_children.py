"""Calls of processes below: the process that collects joins engines' spans to them, too."""

import json
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

CHILD = """
import sys, json, touchdown
from openai import OpenAI
from tests.collect.test_live import headers_of
touchdown.instrument(collect=True)          # below another process: that one collects
touchdown.engine(sys.argv[1], "vllm")
assert touchdown.instrument().collector is None
with OpenAI(base_url=sys.argv[1] + "/v1", api_key="none") as client:
    client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "hello"}])
"""

PARENT = f"""
import subprocess, sys, touchdown
from tests.collect.exported import exported
from tests.collect.test_live import QUEUE_S, span_for
from touchdown.testing import Provider, Reply
handle = touchdown.instrument(collect=0)
with Provider(lambda request: Reply("hello", first_chunk_delay_s=0.01)) as provider:
    with touchdown.task("fix") as task:
        subprocess.run([sys.executable, "-c", {CHILD!r}, provider.url], check=True)
    sent = [{{n.lower(): v for n, v in r.headers.items()}} for r in provider.requests]
    sent = [headers for headers in sent if "x-request-id" in headers]
assert len(sent) == 1
trace = {{"traceparent": "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01", **sent[0]}}
exported(handle.collector.endpoint, [span_for(trace)])
report = task.receipt().report().tasks[0]
print(report.model_calls, report.time.taxes.get("queue"), handle.collector.counts.get("request_id"))
touchdown.uninstrument()
"""


def test_a_childs_call_is_joined_where_the_parent_collects() -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", PARENT],
        env=plain,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split()[0] == "1", done.stderr
    assert done.stdout.split()[2] == "1", done.stdout + done.stderr
    assert json.loads(done.stdout.split()[1]) > 0
