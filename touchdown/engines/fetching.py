"""One page of a named host: a small GET of our own, which no instrumentation of HTTP clients sees."""

import http.client
from urllib.parse import urljoin, urlsplit

TIMEOUT_S = 2.0
MOST_BYTES = 8 << 20
REDIRECTS = frozenset({301, 302, 307, 308})


class NoPage(Exception):  # noqa: N818 - what became of the page, told in words
    """There was no page, in a few words for people."""


def fetch_text(url: str, path: str, timeout_s: float = TIMEOUT_S) -> str:
    """The text at a path of a host; one redirect within it is followed.

    Errors: :class:`NoPage` for a status other than 200, too long a page, and a host that does not answer.
    """
    try:
        status, answer, location = _get(url, path, timeout_s)
        if status in REDIRECTS and _is_within(url, location):
            path = urlsplit(urljoin(url + path, location)).path
            status, answer, _ = _get(url, path, timeout_s)
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else _words(error)
        raise NoPage(f"{path} cannot be read ({why})") from error
    if status != http.HTTPStatus.OK:
        raise NoPage(f"{path} answers {status}")
    if len(answer) > MOST_BYTES:
        raise NoPage(f"{path} is longer than {MOST_BYTES:,} bytes")
    return answer.decode("utf-8", "replace")


def _get(url: str, path: str, timeout_s: float) -> tuple[int, bytes, str]:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request("GET", path, headers={"accept": "text/plain"})
        response = connection.getresponse()
        return response.status, response.read(MOST_BYTES + 1), response.headers.get("location", "")
    finally:
        connection.close()


def _is_within(url: str, location: str) -> bool:
    return bool(location) and urlsplit(urljoin(url, location)).netloc == urlsplit(url).netloc


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
