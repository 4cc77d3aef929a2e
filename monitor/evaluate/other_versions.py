"""What windows of the version `other` say besides their columns: the model has more live versions than it may have."""

from dataclasses import replace

import msgspec

from monitor.evaluate.window_evaluation import EvaluatedWindow
from monitor.findings import VERSIONS, Finding
from monitor.types import IncidentKind, Tier, Verdict


def with_too_many_versions(window: EvaluatedWindow, *, cap: int) -> EvaluatedWindow:
    """Return *window*, of the whole of version `other`, with a data-quality finding when it has events at all.

    What its columns say stays: they are a mixture, whose drift is drift of the mixture.
    """
    result = window.result
    if not result.events:
        return window
    sentence = (
        f"Too many versions: more than {cap} had events within a week; the {result.events:,} events of the others in"
        " this window are counted together as version `other`."
    )
    finding = Finding(
        kind=IncidentKind.DATA_QUALITY,
        column="",
        statistic=VERSIONS,
        tier=Tier.WARNING,
        endured=True,
        value=float(cap + 1),
        bound=float(cap + 1),
        threshold=float(cap),
        sentence=sentence,
    )
    calm = result.verdict in (Verdict.OK, Verdict.INCONCLUSIVE)
    changed = msgspec.structs.replace(
        result,
        verdict=Verdict.WARNING if calm else result.verdict,
        findings=(finding, *result.findings) if calm else (*result.findings, finding),
        quality_calm=False,
        reason="",
        sentence=sentence if calm else f"{result.sentence} {sentence}",
    )
    return replace(window, result=changed)
