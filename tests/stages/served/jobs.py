"""A Celery application whose every job makes one model call."""

import os

from celery import Celery
from openai import OpenAI

import touchdown

touchdown.instrument()

FOLDER = os.environ["JOBS_FOLDER"]

app = Celery(
    "jobs",
    broker_url="filesystem://",
    result_backend=f"file://{FOLDER}/results",
    broker_transport_options={
        "data_folder_in": f"{FOLDER}/queue",
        "data_folder_out": f"{FOLDER}/queue",
        "control_folder": f"{FOLDER}/control",
    },
)


@app.task
def ask() -> int:
    """One model call; the id of the process."""
    with touchdown.task("job"), OpenAI() as client:
        client.chat.completions.create(
            model="gpt-5.4", messages=[{"role": "user", "content": "hi"}]
        )
    return os.getpid()
