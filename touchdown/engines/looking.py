"""Looking at a host once: which engine answers there, and what its metrics show."""

from msgspec import Struct

from touchdown.engines.engine import Engine
from touchdown.engines.exposition import Exposition, NotAnExposition, read_exposition
from touchdown.engines.fetching import NoPage, fetch_text
from touchdown.engines.named import Named
from touchdown.engines.registry import ENGINES, engine_of, recognise


class Look(Struct, frozen=True):
    """What one look found. ``problem``: why there is no engine or no page, in words."""

    engine: Engine | None
    page: Exposition | None = None
    problem: str = ""


def look(named: Named, known: Engine | None = None) -> Look:
    """Read the metrics of a host, whose engine may be known already. Never raises.

    TensorRT-LLM's path is tried before ``/metrics``, which is a queue there that reading empties.
    """
    told = engine_of(named.kind)
    engine = told or known
    paths = (
        [engine.metrics_path] if engine else sorted({e.metrics_path for e in ENGINES}, key=_rank)
    )
    problem = ""
    for path in paths:
        try:
            page = read_exposition(fetch_text(named.url, path))
        except NoPage as error:
            problem = str(error)
            continue
        except NotAnExposition as error:
            problem = f"{path} shows no metrics but {error.args[0]!r}"
            continue
        return _of_page(page, told)
    return Look(engine, None, problem)


def _rank(path: str) -> int:
    return -len(path)


def _of_page(page: Exposition, told: Engine | None) -> Look:
    found, problem = recognise(page)
    if told is None:
        return Look(found, page, problem)
    if found is None:
        return Look(told, page, f"named as {told.title}, but {problem}")
    if found.id != told.id:
        problem = f"named as {told.title}, but its metrics are those of {found.title}"
    return Look(told, page, problem)
