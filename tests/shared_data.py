"""The real data that lies beside the repository: where it is, and what happens without it."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


def shared_data(*parts: str) -> Path:
    """A file or folder of the real data; without it the test skips, or fails where it is required.

    Usable in a test, in a fixture and at the top of a test module.
    """
    root = Path(os.environ.get("TOUCHDOWN_TEST_DATA") or REPOSITORY / "../shared/data")
    path = root.joinpath(*parts)
    if path.exists():
        return path
    reason = f"{'/'.join(parts) or 'the folder'} is not among the real data (TOUCHDOWN_TEST_DATA)"
    if os.environ.get("TOUCHDOWN_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)
