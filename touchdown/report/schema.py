"""The JSON Schema of a report: ``python -m touchdown.report.schema > docs/report.schema.json``."""

import json
import sys

from touchdown.report.model import Report


def schema_text() -> str:
    """The schema of ``touchdown.report/1`` as it is published."""
    schema = Report.model_json_schema(by_alias=True, mode="serialization")
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "touchdown.report/1",
        **schema,
    }
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
