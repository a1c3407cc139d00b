"""What is known of a request while its call runs."""

from collections.abc import Mapping

from msgspec import Struct, field

from touchdown.runtime.admission import Admission
from touchdown.runtime.guard import guarded
from touchdown.runtime.serving import ServingHost


class Sent(Struct):
    """What is known of a request from its first attempt on. Kept until the call is read."""

    __repr__ = object.__repr__  # what it holds is not to be seen in a traceback's variables

    body: Mapping[str, object] = field(default_factory=dict)
    copies: Mapping[str, object] = field(default_factory=dict)
    """Those parts of the body, by name, that are copies of ours; the others may be the host's own objects."""
    given: dict[str, object] | None = None
    """A copy of what the body was read from: where the first attempt sends the same, it is not read again."""
    base_url: str = ""
    credential: str = ""
    http_status: int | None = None
    serving: ServingHost | None = None
    """The host that it goes to, where the user named it as self-hosted."""
    admission: Admission | None = None
    """Told where something else goes out than was asked for."""

    @guarded("sent.status")
    def note_status(self, error: BaseException) -> None:
        """The HTTP status that an exception tells; one of the host's own may raise when it is asked."""
        status = getattr(error, "status_code", None)
        if isinstance(status, int):
            self.http_status = status
