"""The ``touchdown`` command."""
