"""Servers whose requests go on with the task of the caller: middleware of one line each."""
