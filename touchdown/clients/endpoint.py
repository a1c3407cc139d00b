"""Where a client sends its requests: taken apart once for each URL, for an SDK's URL object takes long to."""

from msgspec import Struct

from touchdown.clients.fields import field_of

SDKS = frozenset({"openai", "anthropic"})
OWN_MODULES = frozenset({"_client", "_base_client"})
"""Where the SDKs define what their own clients hand out as ``base_url``."""


class Endpoint(Struct, frozen=True):
    """Where a client sends its requests, as the parts that are asked for."""

    __repr__ = object.__repr__

    url: object
    text: str = ""
    host: str = ""
    port: int | None = None


MOST = 256
"""Classes of clients, and URLs, that are remembered."""

_endpoints: dict[int, Endpoint] = {}
_plain: dict[type, bool] = {}


def endpoint_of(client: object) -> Endpoint:
    """The client's base URL, taken apart once."""
    held = field_of(client, "_base_url") if _plain.get(type(client)) else None
    known = _endpoints.get(id(held))
    if known is not None and known.url is held:
        return known
    url = getattr(client, "base_url", None)
    _look_at_class(client, url)
    known = _endpoints.get(id(url))
    if known is not None and known.url is url:
        return known
    host = str(getattr(url, "host", "") or "")
    made = Endpoint(url, "" if url is None else str(url), host, port_of(url))
    if len(_endpoints) >= MOST:
        _endpoints.clear()
    _endpoints[id(url)] = made
    return made


def _look_at_class(client: object, url: object) -> None:
    """Whether clients of this class hand out the URL that they hold: reading that takes less than asking.

    The SDKs' own do. A subclass whose URL is a property of the host's is asked each time.
    """
    kind = type(client)
    if kind in _plain:
        return
    if len(_plain) >= MOST:
        _plain.clear()
    made_by = getattr(getattr(kind, "base_url", None), "fget", None)
    module = getattr(made_by, "__module__", "")
    own = module.rpartition(".")[2] in OWN_MODULES and module.partition(".")[0] in SDKS
    _plain[kind] = own and url is not None and field_of(client, "_base_url") is url


def port_of(url: object) -> int | None:
    port = getattr(url, "port", None)
    if isinstance(port, int):
        return port
    return {"https": 443, "http": 80}.get(str(getattr(url, "scheme", "")))
