"""The time ledger: a task's wall time along its critical path, every nanosecond in one account."""
