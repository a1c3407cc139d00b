"""Leaves out the tests of integrations that are not installed here, and says which."""

import contextlib
import signal
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

# A runner in the background has these ignored, and every process that a test starts would inherit it.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)

with contextlib.suppress(ImportError):  # not every environment's tests need it
    from hypothesis import settings

    # How long an example takes depends on what else this machine does.
    settings.register_profile("untimed", deadline=None)
    settings.load_profile("untimed")

INTEGRATIONS = Path(__file__).parent / "integrations"


def _installed(folder: Path) -> bool:
    try:
        distribution(f"touchdown-{folder.name}")
    except PackageNotFoundError:
        return False
    return True


MISSING = [path for path in sorted(INTEGRATIONS.glob("*/")) if not _installed(path)]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Also what ``testpaths`` names: ``collect_ignore`` would not reach below it."""
    return True if any(path in collection_path.parents for path in MISSING) else None


def pytest_report_header() -> str | None:
    """One line above the results when something was left out."""
    names = ", ".join(path.name for path in MISSING)
    return f"integrations not installed, their tests left out: {names}" if names else None
