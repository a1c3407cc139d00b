"""``oversized_model``: a dear model on an easy step, where the user's policy names the cheaper one."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from touchdown.accounting.account import Finding
from touchdown.accounting.facts import CallFacts
from touchdown.accounting.policies import OversizedModel
from touchdown.accounting.pricing import Bill, bill_of
from touchdown.accounting.taxes.tax import Claim, Evidence, Kind, many, spans_of


class OversizedModelTax(Struct, frozen=True):
    """What easy calls would have cost less on the model that the user says would do."""

    id: str = "oversized_model"
    question: str = "a dear model on an easy step"
    kind: Kind = "memo"
    needs: str = "policy"
    causes: frozenset[str] = frozenset()

    def not_observable(self, seen: Evidence) -> str | None:
        """Without a policy: which steps are easy, only the user can say."""
        if seen.policies.oversized_model:
            return None
        return "no policy of yours: [[policy.oversized_model]] in touchdown.toml"

    def claims(self, seen: Evidence) -> Iterable[Claim]:
        """Nothing: it is a memo."""
        return ()

    def findings(self, seen: Evidence) -> Iterator[Finding]:
        """One per policy that would have saved something."""
        for policy, saved in _by_policy(seen).items():
            usd = sum((amount for _, amount in saved), Decimal(0))
            yield Finding(
                tax=self.id,
                usd=usd,
                tokens=None,
                why=f"{many(len(saved), 'easy call')} to {policy.model} would have cost less on "
                f"{policy.cheaper}, at the same token counts",
                basis="estimated",
                fix=f"send these steps to {policy.cheaper}, if it does them as well",
                spans=spans_of(facts for facts, _ in saved),
                saves_usd=usd,
            )

    def memos(self, seen: Evidence) -> Mapping[str, Decimal | None]:
        """``oversized_model_usd``: what the cheaper models would have saved."""
        if not seen.policies.oversized_model:
            return {}
        saved = (usd for found in _by_policy(seen).values() for _, usd in found)
        return {"oversized_model_usd": sum(saved, Decimal(0))}


def _by_policy(seen: Evidence) -> Mapping[OversizedModel, list[tuple[CallFacts, Decimal]]]:
    found: defaultdict[OversizedModel, list[tuple[CallFacts, Decimal]]] = defaultdict(list)
    for facts in seen.calls:
        policy = _policy_for(facts, seen)
        saved = _saved(facts, policy, seen) if policy is not None else Decimal(0)
        if policy is not None and saved > 0:
            found[policy].append((facts, saved))
    return found


def _policy_for(facts: CallFacts, seen: Evidence) -> OversizedModel | None:
    models, output = {facts.call.model, facts.call.response_model}, facts.call.usage.output
    for policy in seen.policies.oversized_model:
        if policy.model not in models:
            continue
        most = policy.max_output_tokens
        if most is None or (output is not None and output <= most):
            return policy
    return None


def _saved(facts: CallFacts, policy: OversizedModel, seen: Evidence) -> Decimal:
    if not isinstance(facts.bill, Bill):
        return Decimal(0)
    call = replace(facts.call, model=policy.cheaper, response_model=policy.cheaper)
    cheaper = bill_of(call, seen.prices)
    return facts.bill.total - cheaper.total if isinstance(cheaper, Bill) else Decimal(0)
