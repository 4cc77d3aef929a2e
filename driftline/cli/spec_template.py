"""The YAML that `driftline init` writes: every key of the model spec, each explained on its line."""

import yaml

from driftline.cli.spec_proposal import SpecProposal
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import ColumnKind, ModelSpec, Task
from monitor.units import duration_text

COMMENT_COLUMN = 48


def spec_text(
    proposal: SpecProposal, *, profile: ReferenceProfile, model: str, namespace: str, reference: str, schema: str | None
) -> str:
    """Return the text of a spec that `parse_spec` accepts.

    Args:
        reference: Path of the profile, relative to the spec.
        schema: Path of the spec's JSON Schema for editors, relative to the spec; None leaves the line out.
    """
    lines = [f"# yaml-language-server: $schema={schema}"] if schema else []
    lines += [
        "# What Driftline watches of one model. Check and store it with `driftline apply`.",
        _line(0, "model", quoted(model), "as in the events"),
        _line(0, "namespace", quoted(namespace), "project and environment, as in the events"),
        _line(0, "task", proposal.task, " | ".join(Task)),
        _line(0, "reference", quoted(reference), "profile of the reference, relative to this file"),
        _line(0, "reference_policy", "frozen", "frozen | rolling: each day the last 7 days without incidents"),
        "",
        *_columns(proposal, profile),
        "",
        *_prediction_and_truth(proposal),
        "",
        *_segments(proposal),
        _line(0, "versions", ModelSpec.model_fields["versions"].default, "live at once; more count as `other`"),
        "",
        *_windows_and_drift(proposal),
        "",
        *_ACCURACY_TO_ACTIONS,
    ]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """Return *text* as a YAML scalar on one line, plain where YAML reads it back as this text."""
    try:
        plain = text.replace("_", "").replace("-", "").isalnum() and yaml.safe_load(text) == text
    except yaml.YAMLError:
        plain = False
    if plain:
        return text
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=1 << 30).strip()


def _line(indent: int, key: str, value: object, comment: str) -> str:
    start = f"{'  ' * indent}{key}: {value}"
    return f"{start:<{COMMENT_COLUMN}}# {comment}"


def _columns(proposal: SpecProposal, profile: ReferenceProfile) -> list[str]:
    lines = [
        "# Features. kind: numeric | categorical; monitor: false counts a column without judging it; importance: 0.3",
        "# is its share of the model's importance, which sorts messages and counts as evidence for a rollback;",
        "# rule: anytime notices a lasting change pane by pane, for columns that do not wander by themselves.",
        "columns:" if proposal.description.features else "columns: {}",
    ]
    for (name, kind), span in zip(proposal.description.features, profile.layout.spans, strict=False):
        missing = profile.counts[span.slots] / profile.rows
        cells = f"{span.slots - span.start} {'cells' if kind is ColumnKind.NUMERIC else 'categories'}"
        lines.append(_line(1, quoted(name), f"{{kind: {kind}}}", f"{cells}, {missing:.1%} missing in the reference"))
    return lines


def _prediction_and_truth(proposal: SpecProposal) -> list[str]:
    description = proposal.description
    return [
        "prediction:",
        _line(1, "score", _flag(description.score), "events carry prediction.score, from 0 to 1"),
        _line(1, "label", _flag(description.label), "events carry prediction.label"),
        _line(1, "value", _flag(description.value), "events carry prediction.value, a number (regression)"),
        _line(1, "threshold", description.threshold, "score from which on the label is positive, if none is sent"),
        "truth:",
        _line(1, "positive", quoted(description.positive), "the truth (and label) that counts as positive"),
        _line(1, "negative", quoted(description.negative), "the label that a score below the threshold stands for"),
        _line(1, "horizon", "30d", "how long a truth looks for its prediction"),
        _line(0, "sample_rate", proposal.sample_rate, "share of predictions kept to be joined with truths"),
    ]


def _flag(column: str | None) -> str:
    return "false" if column is None else "true"


def _segments(proposal: SpecProposal) -> list[str]:
    if not proposal.segments:
        return [_line(0, "segments", "[]", "- {tag: region, values: [eu, us]}: a series of its own for each"), ""]
    lines = ["segments:" + " " * (COMMENT_COLUMN - 9) + "# a series for each value of a tag; the rest is `other`"]
    for segment in proposal.segments:
        lines += [
            _line(1, "- tag", quoted(segment.tag), "key in the tags of the events"),
            f"    values: [{', '.join(quoted(value) for value in segment.values)}]",
        ]
    return [*lines, ""]


def _windows_and_drift(proposal: SpecProposal) -> list[str]:
    defaults = ModelSpec.model_fields["drift"].default
    return [
        "windows:",
        "  scales:" + " " * (COMMENT_COLUMN - 9) + "# sliding windows: length, and distance of their ends",
        *(
            f"    - {{length: {duration_text(scale.length)}, step: {duration_text(scale.step)}}}"
            for scale in proposal.scales
        ),
        _line(1, "min_events", 200, "fewer in a window: inconclusive, neither good nor bad"),
        "",
        "drift:",
        _line(1, "rule", defaults.rule, "default | textbook (plain thresholds, to compare)"),
        _line(1, "seasonality", defaults.seasonality, "auto | none | hour_of_day: compared with the same hours (UTC)"),
        _line(1, "alpha", defaults.alpha, "chance of a false alarm per evaluation, at a tier's boundary"),
        "  tiers:" + " " * (COMMENT_COLUMN - 8) + "# PSI that must be proven",
        _line(2, "warning", defaults.tiers.warning, "people are told"),
        _line(2, "alert", defaults.tiers.alert, "a retraining is asked for"),
        _line(2, "critical", defaults.tiers.critical, "a rollback is considered"),
        _line(1, "ks_warning", defaults.ks_warning, "KS distance that is a warning by itself"),
        _line(1, "close_ratio", defaults.close_ratio, "an incident closes below this share of its tier"),
        "  # shown beside PSI and KS, never judged: jensen_shannon, kullback_leibler, hellinger, total_variation,",
        _line(1, "statistics", "[]", "l_infinity, chi_squared, wasserstein"),
    ]


_ACCURACY_TO_ACTIONS = (
    "accuracy:",
    _line(1, "floor", "null", "accuracy proven under it is critical; null: none"),
    _line(1, "drop", 0.03, "proven this much under the reference's: a warning"),
    _line(1, "min_truths", 100, "fewer truths in a window: inconclusive"),
    _line(1, "maturity", 0.8, "labelled share of a window's sampled predictions that judges it"),
    _line(1, "confidence", 0.999, "of a proof, however often it is asked for"),
    "",
    "alerting:",
    _line(1, "owner", "null", "who answers; needed for rollbacks"),
    _line(1, "runbook", "null", "a link; needed for rollbacks"),
    _line(1, "close_after", 2, "better windows in a row, without overlap, that close an incident"),
    _line(1, "keep_firing_for", "1h", "a new start this soon re-opens the same incident"),
    _line(1, "freshness", "null", "older windows page nobody; null: 10m or twice the step, the larger"),
    _line(1, "tell_values", "false", "true: messages name unseen values; values of features then leave Driftline"),
    "  receivers:" + " " * (COMMENT_COLUMN - 12) + "# who is told, and from which tier on",
    _line(2, "- name", "log", "distinct"),
    _line(3, "type", "log", "log | webhook"),
    _line(3, "from_tier", "warning", "warning | alert | critical"),
    "#   - name: team",
    "#     type: webhook",
    _line(0, "#     url", "https://example.org/drift", "where signed messages go"),
    _line(0, "#     secret_env", "TEAM_SECRET", "environment variable with the signing secret, whsec_…"),
    "",
    "actions:",
    "  retraining:" + " " * (COMMENT_COLUMN - 13) + "# on drift or performance of tier alert",
    _line(2, "mode", "dry_run", "off | dry_run (recorded, not sent) | auto (needs url, secret_env)"),
    _line(2, "url", "null", "receives the signed request"),
    _line(2, "secret_env", "null", "environment variable with the signing secret"),
    _line(2, "cooldown", "24h", "between two requests"),
    _line(2, "deadline", "30m", "a request not delivered by then is dead"),
    "  rollback:" + " " * (COMMENT_COLUMN - 11) + "# to the last healthy version, on critical evidence",
    _line(2, "mode", "dry_run", "auto needs url, secret_env, alerting.owner and runbook"),
    _line(2, "url", "null", "receives the signed request"),
    _line(2, "secret_env", "null", "environment variable with the signing secret"),
    _line(2, "cooldown", "24h", "between two rollbacks"),
    _line(2, "deadline", "5m", "a request not delivered by then is dead"),
    _line(2, "keys", 2, "1: critical alone suffices; 2: independent evidence must agree"),
    _line(2, "min_healthy", "1h", "how long the target must have served well"),
    _line(2, "look_back", "7d", "a version change this recent can be the cause"),
)
