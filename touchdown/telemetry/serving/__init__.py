"""Spans of serving engines: the requests that they tell of, and the model calls that those are of."""
