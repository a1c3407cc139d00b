"""Every part of touchdown broken in every way, in every shape of a call: ``python -m tests.breakage``."""
