"""Hosts that start programs and processes in their own ways: what those do is in the bill all the same."""

import os
import subprocess

import pytest

from tests.exits.cells import REPOSITORY, clean_environment
from touchdown.testing import Provider, Reply

pytestmark = pytest.mark.stage_servers


def run_host(name: str) -> list[str]:
    """What the agent prints, in its own environment."""
    with Provider(lambda _request: Reply("ok")) as provider:
        done = subprocess.run(
            [os.environ["SERVERS_PYTHON"], "-m", "tests.stages.served.hosts", name],
            cwd=REPOSITORY,
            env={**clean_environment(), **provider.env()},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_programs_and_tasks_of_uvloop_are_followed_and_its_loop_is_watched() -> None:
    """Three calls of its own, and one of each program."""
    assert run_host("uvloop") == ["late uvloop", "5 0"]


def test_each_job_of_joblibs_processes_counts_where_it_was_handed_over() -> None:
    """The workers that began outside the task serve it, too."""
    assert run_host("joblib") == ["False", "5 2"]
