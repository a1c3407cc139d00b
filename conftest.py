"""Leaves out the tests of integrations that are not installed here, and says which."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

INTEGRATIONS = Path(__file__).parent / "integrations"


def _installed(folder: Path) -> bool:
    try:
        distribution(f"touchdown-{folder.name}")
    except PackageNotFoundError:
        return False
    return True


MISSING = [path for path in sorted(INTEGRATIONS.glob("*/")) if not _installed(path)]

collect_ignore = [str(path) for path in MISSING]


def pytest_report_header() -> str | None:
    """One line above the results when something was left out."""
    names = ", ".join(path.name for path in MISSING)
    return f"integrations not installed, their tests left out: {names}" if names else None
