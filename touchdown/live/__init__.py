"""The accountant of a live process, and its journal."""
