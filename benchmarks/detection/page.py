"""The page `docs/detection.md` and its plots, written from one outcome."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.detection.compare import AS_SHIPPED, OURS, Compared
from benchmarks.detection.comparison import (
    change_sum,
    is_ours,
    methods_of,
    of_stream,
    quiet_sum,
    streams_of,
)
from benchmarks.detection.measures import Run
from benchmarks.detection.outcome import Outcome
from benchmarks.detection.plots import Bar, bar_chart
from benchmarks.detection.real import REAL_SETS
from benchmarks.detection.tables import (
    closing_table,
    cpu_table,
    detection_table,
    falls_table,
    number,
    peers_change_table,
    peers_quiet_table,
    percent,
    quiet_table,
    real_table,
    second_table,
    targets_table,
)
from benchmarks.detection.targets import CLOSING, EVERY_QUIET, FALLS, FAULTS, SECOND

PICTURED = (("shift 0.5", "delay-shift.svg"), ("shift 0.5 on wander 0.2", "delay-wander.svg"))
TEMPLATE = Path(__file__).with_name("page.md")
STEADY = ("shift 0.3", "shift 0.5", "shift 0.7", "shift 1", "gradual 0.7")
ON_MOVING = ("shift 0.5 on daily cycle", "shift 1 on daily cycle", "shift 0.5 on wander 0.2", "shift 1 on wander 0.2")


def write_page(outcome: Outcome, root: Path) -> Path:
    """Write the page and its plots under *root*/docs; return the page's path."""
    pictures = root / "docs" / "detection"
    pictures.mkdir(parents=True, exist_ok=True)
    for name, picture in _pictures(outcome):
        (pictures / name).write_text(picture, encoding="utf-8")
    page = root / "docs" / "detection.md"
    page.write_text(page_text(outcome), encoding="utf-8")
    return page


def page_text(outcome: Outcome) -> str:
    """Return the page: the template's prose with the outcome's tables in their places."""
    synthetic, real = _parts(outcome.compared)
    missed = [target for target in outcome.reached if not target.met]
    runs = outcome.runs
    places = {
        "date": outcome.date,
        "seeds": "seeds that nothing was tuned on" if outcome.published else "seeds used while building",
        "size": "the short run" if outcome.short else "the full run",
        "summary": f"{len(outcome.reached) - len(missed)} of {len(outcome.reached)} targets are met.",
        "targets": targets_table(outcome),
        "quiet": quiet_table(_chosen(runs, EVERY_QUIET)),
        "causes": "\n".join(_causes(runs)) or "No episode at all.",
        "detection": detection_table(
            {name: repeated for name, repeated in runs.items() if name not in (*CLOSING, *SECOND)}
        ),
        "closing": closing_table(_chosen(runs, CLOSING)),
        "second": second_table(_chosen(runs, SECOND)),
        "falls": falls_table(_chosen(runs, FALLS)),
        "peers_quiet": peers_quiet_table(synthetic),
        "peers_steady": peers_change_table(synthetic, STEADY),
        "peers_moving": peers_change_table(synthetic, ON_MOVING),
        "peers_faults": peers_change_table(synthetic, FAULTS),
        "delays": "\n\n".join(
            f"![Events until detected: {stream}](detection/{name})"
            for stream, name in PICTURED
            if of_stream(synthetic, stream)
        ),
        "losses": "\n".join(_losses(synthetic)) or "- None on these streams.",
        "cpu": cpu_table(outcome.timing),
        "real": "\n\n".join(_real_sections(real)),
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for place, value in places.items():
        text = text.replace("{{" + place + "}}", value)
    return text


def _chosen(runs: Mapping[str, Sequence[Run]], names: Sequence[str]) -> dict[str, Sequence[Run]]:
    return {name: runs[name] for name in names if name in runs}


def _parts(compared: Sequence[Compared]) -> tuple[list[Compared], list[Compared]]:
    names = {real_set.name for real_set in REAL_SETS}
    return [comparison for comparison in compared if comparison.stream not in names], [
        comparison for comparison in compared if comparison.stream in names
    ]


def _causes(runs: Mapping[str, Sequence[Run]]) -> Iterator[str]:
    """Yield every false alarm of a quiet stream with what made it, so that nobody has to take a rate on trust."""
    for stream in EVERY_QUIET:
        for run in runs.get(stream, ()):
            for alarm in run.false_alarms:
                tier = "warning" if alarm.alerted is None else "alert"
                yield f"- {stream}, seed {run.seed}: {tier}, {alarm.kind}: {alarm.cause}"


def _losses(compared: Sequence[Compared]) -> Iterator[str]:
    """Yield where another method detected a change in fewer events, with its false alarms on all quiet streams."""
    quiet = [comparison for comparison in compared if comparison.stream in streams_of(compared, changing=False)]
    rates = {method: quiet_sum(quiet, method=method).alarming_share for method in methods_of(compared)}
    for stream in streams_of(compared, changing=True):
        here = of_stream(compared, stream)
        own = change_sum(here, method=AS_SHIPPED)
        sooner = [
            (method, detection)
            for method in methods_of(compared)
            if not is_ours(method)
            and ((detection := change_sum(here, method=method)).recall, -detection.median_warning)
            > (own.recall, -own.median_warning)
        ]
        if sooner:
            peers = "; ".join(
                f"{method} {percent(detection.recall)} after {number(detection.median_warning)} "
                f"(flags {percent(rates[method])} of quiet windows)"
                for method, detection in sooner
            )
            yield f"- {stream}: ours {percent(own.recall)} after {number(own.median_warning)}; {peers}."


def _real_sections(real: Sequence[Compared]) -> Iterator[str]:
    for chosen in REAL_SETS:
        for comparison in of_stream(real, chosen.name):
            own = next(run for run in comparison.methods if run.method == AS_SHIPPED)
            said = [f"- {'alert' if e.alerted else 'warning'}, {e.kind}: {e.cause}" for e in own.episodes]
            incidents = "\n".join(said) if said else "- Driftline raised nothing."
            yield f"### {chosen.name}\n\n{chosen.description}\n\n{real_table(comparison)}\n\n{incidents}"


def _pictures(outcome: Outcome) -> Iterator[tuple[str, str]]:
    synthetic, _ = _parts(outcome.compared)
    quiet = [comparison for comparison in synthetic if comparison.stream in streams_of(synthetic, changing=False)]
    bars = []
    for method in methods_of(synthetic):
        share = quiet_sum(quiet, method=method).alarming_share
        bars.append(Bar(label=method, value=share, text=percent(share), ours=is_ours(method)))
    title = "Windows with an alarm although nothing happened"
    yield "false-alarms.svg", bar_chart(title, bars, unit="share of one-hour windows, all quiet streams")
    for stream, name in PICTURED:
        here = of_stream(synthetic, stream)
        if here:
            yield name, bar_chart(f"Events until detected: {stream}", _delay_bars(here), unit="events, median")


def _delay_bars(compared: Sequence[Compared]) -> list[Bar]:
    bars = []
    for method in methods_of(compared):
        if method == OURS:
            continue
        result = change_sum(compared, method=method)
        text = number(result.median_warning) if math.isfinite(result.median_warning) else "not found"
        bars.append(Bar(label=method, value=result.median_warning, text=text, ours=is_ours(method)))
    return bars
