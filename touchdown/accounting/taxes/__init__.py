"""The taxes: one file each, listed in the registry."""
