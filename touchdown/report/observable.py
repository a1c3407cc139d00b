"""Which taxes a task could not be asked about, and why."""

from touchdown.accounting.account import TaskAccount

TIME_UNMEASURED = "the time ledger is not measured yet"

TIME_TAXES = (
    "queue",
    "jitter",
    "prefill_blocks_decode",
    "decode_starved",
    "kv_offload",
    "fabric_transfer",
    "runtime_overhead",
    "cpu_waits_on_gpu",
    "gpu_waits_on_cpu",
)


def not_observable(account: TaskAccount) -> dict[str, str]:
    """Tax to reason: the accountant's own, and every tax of time that it does not speak of."""
    unmeasured = {tax: TIME_UNMEASURED for tax in TIME_TAXES if tax not in account.money.taxes}
    return {
        **account.not_observable,
        **{t: r for t, r in unmeasured.items() if t not in account.not_observable},
    }
