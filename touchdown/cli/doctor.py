"""``touchdown doctor``: what is captured here, where it goes, and what would not be seen."""

import argparse
import json
import platform

import touchdown
from touchdown.cli.checkup import installed, sending
from touchdown.cli.checkup.diagnosis import Diagnosis
from touchdown.cli.checkup.doubles import doubles, loaded_now, own_tracing
from touchdown.cli.checkup.page import Page
from touchdown.cli.checkup.serving import serving
from touchdown.cli.checkup.settings import prices, settings
from touchdown.report import show
from touchdown.runtime import core
from touchdown.runtime.losses import lost_so_far

EPILOG = """\
The exit code is 1 when something that was asked for would not work, else 0. Keys and header values
are never shown. Nothing is sent, and no connection is opened without --connect.
"""


def main(argv: list[str]) -> int:
    """Run ``touchdown doctor``; 1 when something that was asked for would not work."""
    options = _parser().parse_args(argv)
    found = examine(connect=options.connect)
    if options.json:
        print(json.dumps(found.as_json(), indent=2))
    else:
        show(Page(found))
    return 1 if found.problems else 0


def examine(*, connect: bool = False) -> Diagnosis:
    """Look at this environment as a program in it would find it."""
    runtime = core.active()
    lost = {} if runtime is None else lost_so_far(runtime.accountant, runtime.options)
    loaded = loaded_now()
    here = installed.look()
    hosts, wrong = serving(connect)
    return Diagnosis(
        touchdown=touchdown.__version__,
        python=platform.python_version(),
        sdks=here.sdks,
        integrations=here.integrations,
        export=sending.look(connect),
        settings=list(settings(here.active)),
        prices=prices(),
        unseen=installed.without_client(),
        doubles=list(doubles(loaded)),
        own_tracing=own_tracing(),
        lost=lost,
        serving=hosts,
        serving_problems=wrong,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="touchdown doctor",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--json", action="store_true", help="print the findings, and nothing else, on stdout"
    )
    parser.add_argument(
        "--connect",
        action="store_true",
        help="also see who listens at the endpoints and at the named engines",
    )
    return parser
