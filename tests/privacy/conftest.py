"""Price data read once, no waiting before retries: as the tests of the clients have it."""

from tests.clients.conftest import _quick as _quick
