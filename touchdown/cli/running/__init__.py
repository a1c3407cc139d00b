"""The parts of ``touchdown run``: the child process, what its Pythons start with, and what is shown."""
