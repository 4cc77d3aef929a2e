"""The page's tables in Markdown."""

import math
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.detection.compare import Compared
from benchmarks.detection.comparison import (
    change_sum,
    is_ours,
    methods_of,
    of_stream,
    quiet_sum,
    runs_by,
    streams_of,
)
from benchmarks.detection.measures import Rate, Run, median, rate_of
from benchmarks.detection.outcome import Outcome
from benchmarks.detection.target_rows import closing_hours, detection
from benchmarks.detection.timing import Timing

Row = Sequence[str]


def markdown(header: Row, rows: Iterable[Row]) -> str:
    """Return a table, the first column to the left, the others to the right."""
    lines = [header, [":--", *("--:" for _ in header[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float, digits: int = 0) -> str:
    """Return *value* with thousands apart; infinite is `not found`, NaN `not measured`."""
    if math.isnan(value):
        return "not measured"
    return f"{value:,.{digits}f}" if math.isfinite(value) else "not found"


def percent(share: float) -> str:
    """Return a share in percent, with a digit where it is under ten."""
    return f"{100 * share:.0f} %" if share in (0.0, 1.0) or share >= 0.1 else f"{100 * share:.1f} %"


def targets_table(outcome: Outcome) -> str:
    """Return every target, what was measured, and whether it was met."""
    rows = []
    for target in outcome.reached:
        digits = 3 if "per 1000" in target.measure or "share" in target.measure else 0
        if "per model and" in target.measure or "lengths" in target.measure or "hours" in target.measure:
            digits = 2
        bound = "" if target.bound is None else number(target.bound, 3)
        limit, measured = f"{target.limit:,g}", number(target.measured, digits)
        rows.append((target.stream, target.measure, limit, measured, bound, "met" if target.met else "**missed**"))
    return markdown(("stream", "measure", "at most", "measured", "95 % bound", ""), rows)


def quiet_table(runs: Mapping[str, Sequence[Run]]) -> str:
    """Return false alarms of the streams in which nothing changes, stream by stream and all together."""
    streams = dict(runs)
    if len(runs) > 1:
        streams["**all of them**"] = [run for repeated in runs.values() for run in repeated]
    rows = []
    for stream, repeated in streams.items():
        evaluations, days = sum(run.evaluations for run in repeated), sum(run.days for run in repeated)
        alarms = rate_of(sum(len(run.false_alarms) for run in repeated), evaluations=evaluations, days=days)
        alerts = rate_of(sum(run.false_alerts for run in repeated), evaluations=evaluations, days=days)
        rows.append(
            (
                stream,
                number(evaluations),
                number(days, 1),
                str(alarms.episodes),
                str(alerts.episodes),
                f"{alarms.per_thousand:.3f} (≤ {alarms.per_thousand_bound:.3f})",
                f"{alarms.per_day:.3f} (≤ {alarms.per_day_bound:.3f})",
                _per_year(alarms),
                _per_year(alerts),
                str(sum(run.retrainings for run in repeated)),
                str(sum(run.rollbacks for run in repeated)),
            )
        )
    header = ("stream", "evaluations", "model-days", "episodes", "alerts", "per 1000 evaluations", "per model-day",
              "warnings per model-year", "alerts per model-year", "retrainings", "rollbacks")  # fmt: skip
    return markdown(header, rows)


def _per_year(rate: Rate) -> str:
    return f"{rate.per_year:.1f} (≤ {rate.per_year_bound:.1f})"


def closing_table(runs: Mapping[str, Sequence[Run]]) -> str:
    """Return how long incidents of hourly windows stay open after their change is over."""
    rows = []
    for stream, repeated in runs.items():
        measured, hours = detection(repeated), closing_hours(repeated)
        if measured is None or not hours:
            continue
        returned = sum(run.change_result.returns > 0 for run in repeated if run.change_result is not None)
        rows.append(
            (
                stream,
                str(measured.runs),
                percent(measured.recall),
                number(median(hours), 1),
                number(max(hours), 1),
                percent(sum(value <= 24.0 for value in hours) / len(hours)),
                str(returned),
            )
        )
    header = ("stream", "runs", "found", "closed after (median, window lengths)", "slowest", "closed within 24 h",
              "opened again")  # fmt: skip
    return markdown(header, rows)


def second_table(runs: Mapping[str, Sequence[Run]]) -> str:
    """Return whether and when people were notified of a second change."""
    rows = []
    for stream, repeated in runs.items():
        delays = [run.second_result.notified_events for run in repeated if run.second_result is not None]
        if delays:
            share = sum(map(math.isfinite, delays)) / len(delays)
            messages = str(round(median([float(run.messages) for run in repeated])))
            rows.append((stream, str(len(delays)), percent(share), number(median(delays)), messages))
    header = ("stream", "runs", "notified of the second", "median events to that", "messages in all (median)")
    return markdown(header, rows)


def falls_table(runs: Mapping[str, Sequence[Run]]) -> str:
    """Return what people were notified of while the accuracy fell, for each fall of a stream."""
    rows = []
    for stream, repeated in runs.items():
        for place in range(len(repeated[0].fall_results)):
            results = [run.fall_results[place] for run in repeated]
            last = [result.last_accuracy for result in results if result.last_accuracy is not None]
            rows.append(
                (
                    stream,
                    str(place + 1),
                    str(len(results)),
                    percent(sum(result.notified for result in results) / len(results)),
                    percent(sum(map(math.isfinite, (result.critical_hours for result in results))) / len(results)),
                    number(median([result.critical_hours for result in results]), 1),
                    f"{median(last):.3f}" if last else "",
                    str(round(median([float(run.messages) for run in repeated]))),
                    str(sum(len(run.false_alarms) for run in repeated)),
                )
            )
    header = ("stream", "fall", "runs", "notified", "as critical", "hours to that (median)",
              "accuracy at the last message", "messages in all (median)", "false alarms before")  # fmt: skip
    return markdown(header, rows)


def detection_table(runs: Mapping[str, Sequence[Run]]) -> str:
    """Return how changes were detected: delays are events from the change's start."""
    rows = []
    for stream, repeated in runs.items():
        measured = detection(repeated)
        if measured is None:
            continue
        closed = measured.median_close_hours
        rows.append(
            (
                stream,
                str(measured.runs),
                percent(measured.recall),
                f"{number(measured.median_warning)} / {number(measured.ninetieth_warning)}",
                percent(measured.alert_recall),
                f"{number(measured.median_alert)} / {number(measured.ninetieth_alert)}",
                percent(measured.named_first),
                percent(measured.typed),
                "" if closed is None else number(closed, 1),
                str(sum(len(run.false_alarms) for run in repeated)),
            )
        )
    header = ("stream", "runs", "found", "warning after (median / 90 %)", "alerted", "alert after (median / 90 %)",
              "right column first", "right kind", "closed after (h)", "false alarms before")  # fmt: skip
    return markdown(header, rows)


def peers_quiet_table(compared: Sequence[Compared]) -> str:
    """Return the share of windows in which each method flags something although nothing happens, by stream."""
    streams = streams_of(compared, changing=False)
    rows = []
    for method in methods_of(compared):
        cells = [quiet_sum(of_stream(compared, stream), method=method) for stream in streams]
        shown = [f"{percent(cell.alarming_share)} ({cell.episodes})" if cell.windows else "–" for cell in cells]
        rows.append((_name(method), *shown, str(sum(cell.episodes for cell in cells))))
    return markdown(("method", *streams, "all episodes"), rows)


def peers_change_table(compared: Sequence[Compared], streams: Sequence[str]) -> str:
    """Return recall and median delay in events of each method, by stream; streams that were not run are left out."""
    streams = [stream for stream in streams if of_stream(compared, stream)]
    if not streams:
        return "None of these streams was run."
    rows = []
    for method in methods_of(compared):
        cells = []
        for stream in streams:
            result = change_sum(of_stream(compared, stream), method=method)
            delay = f" after {number(result.median_warning)}" if math.isfinite(result.median_warning) else ""
            cells.append(f"{percent(result.recall)}{delay}")
        rows.append((_name(method), *cells))
    return markdown(("method", *streams), rows)


def real_table(compared: Compared) -> str:
    """Return what each method said of one real set."""
    rows = []
    for method in methods_of([compared]):
        [run] = runs_by([compared], method=method)
        columns: dict[str, None] = {}
        for episode in run.episodes:
            columns.update(dict.fromkeys(episode.columns[:1]))
        share = percent(run.alarming / run.windows) if run.windows else "–"
        names = ", ".join(f"`{name}`" for name in list(columns)[:4])
        rows.append((_name(method), str(run.windows), share, str(len(run.episodes)), names))
    header = ("method", "windows judged", "with an alarm", "episodes", "columns named first")
    return markdown(header, rows)


def cpu_table(timed: Timing | None) -> str:
    """Return CPU per window and how many times ours that is."""
    if timed is None:
        return "No stream was timed."
    lines = [("driftline, counting and judging", timed.own), ("evidently, whole report", timed.report)]
    rows = [
        (name, f"{1e3 * seconds:,.1f}", f"{seconds / timed.own:,.0f}")
        for name, seconds in (*lines, *timed.peers.items())
    ]
    return markdown(("method", "ms of CPU per window", "times ours"), rows)


def _name(method: str) -> str:
    return f"**{method}**" if is_ours(method) else method
