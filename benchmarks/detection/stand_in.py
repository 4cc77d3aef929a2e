"""STAND-IN until `driftline.backtest` is there: counts, cuts, decides and advances incidents without Postgres."""

import numpy as np
import pyarrow as pa

from alerting.facts import DECIDED_KINDS, facts_of
from alerting.incident import Rules, transition
from alerting.incident_state import Identity, Step
from benchmarks.detection.episodes import Alarm, Episode
from benchmarks.detection.judged import Judged
from benchmarks.detection.stream import TIME, times_of
from dataclasses import dataclass, replace
from monitor.clock import cpu_seconds
from monitor.decide import conclude_window, examine_window, prepare
from monitor.durations import millis
from monitor.findings import WindowResult
from monitor.reference.column_values import numbers, texts
from monitor.reference.count_reference import NOWHERE, categorical_places, numeric_places
from monitor.reference.profile import ReferenceProfile
from monitor.spec import ColumnKind, ModelSpec
from monitor.types import ALL_SEGMENT, MINUTE_MILLIS, IncidentKind, Scale, SeriesKey, Tier, Verdict, Window
from monitor.windows.filling import filled_from, is_filling, previous_is_filling


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    scale: Scale
    window_end: int
    result: WindowResult
    series: SeriesKey = SeriesKey(1, "1")
    kind: str = "inputs"
    driving: bool = True


def judge(spec: ModelSpec, profile: ReferenceProfile, history: pa.Table) -> Judged:
    begun = cpu_seconds()
    prepared = prepare(spec, profile)
    layout = profile.layout
    size = layout.size
    hits, fars, far_rows = [], [], []
    for column, span in zip(layout.columns, layout.spans, strict=True):
        if column.name not in history.column_names:
            continue
        data = history[column.name]
        places = (
            numeric_places(column, numbers(data))
            if column.kind is ColumnKind.NUMERIC
            else categorical_places(column, texts(data))
        )
        hits.append(
            np.where(places.cell != NOWHERE, span.start + places.cell, span.slots + places.slot).astype(np.int32)
        )
        rows = np.flatnonzero(places.far != NOWHERE)
        far_rows.append(rows)
        fars.append(span.slots + places.far[rows])
    matrix = np.stack(hits, axis=1)
    far_row = np.concatenate(far_rows)
    order = np.argsort(far_row, kind="stable")
    far_row, far_place = far_row[order], np.concatenate(fars)[order]
    times = times_of(history, TIME)
    since = filled_from(int(times[0]) // MINUTE_MILLIS * MINUTE_MILLIS)
    stop = (int(times[-1]) // MINUTE_MILLIS + 1) * MINUTE_MILLIS

    def counts(first, last):
        found = np.bincount(matrix[first:last].ravel(), minlength=size)
        a, b = np.searchsorted(far_row, [first, last])
        if b > a:
            found += np.bincount(far_place[a:b], minlength=size)
        return found

    rules = Rules(
        close_after=spec.alerting.close_after,
        keep_firing_for=millis(spec.alerting.keep_firing_for),
        freshness=None,
        truth_delay=0,
    )
    states, open_ids, episodes = {}, {}, []
    alarms = {each.length: [] for each in spec.scales}
    evaluations = inconclusive = 0
    dues = sorted(
        (end, scale.length, scale)
        for scale in spec.scales
        for end in range(
            (since // (scale.step * MINUTE_MILLIS) + 1) * scale.step * MINUTE_MILLIS,
            stop + 1,
            scale.step * MINUTE_MILLIS,
        )
    )
    at = 0
    for end, _, scale in dues:
        window = Window(scale, end)
        a, m, b = np.searchsorted(times, [window.start, window.middle, end])
        if is_filling(window, since=since) or b - a < spec.windows.min_events:
            inconclusive += 1
            continue
        examined = examine_window(
            prepared, scale=scale, first_half=counts(a, m), second_half=counts(m, b), events=int(b - a)
        )
        previous, previous_events = None, 0
        if examined.needs_previous and not previous_is_filling(window, since=since):
            p = int(np.searchsorted(times, window.previous_start))
            previous, previous_events = counts(p, a), int(a - p)
        result = conclude_window(prepared, examined, previous=previous, previous_events=previous_events)
        if result.verdict is Verdict.INCONCLUSIVE:
            inconclusive += 1
        else:
            evaluations += 1
        if end % (scale.length * MINUTE_MILLIS) == 0 and result.verdict is not Verdict.INCONCLUSIVE:
            alarms[scale.length].append(
                Alarm(end=end, columns=tuple(dict.fromkeys(each.column for each in result.findings if each.endured)))
            )
        evaluation = Evaluation(scale=scale, window_end=end, result=result)
        for kind in (IncidentKind.DATA_QUALITY, IncidentKind.DRIFT):
            facts = facts_of(kind, evaluation)
            state, decision = transition(
                states.get(kind),
                facts,
                identity=Identity(model=spec.key, version="1", kind=kind),
                rules=rules,
                now_millis=end,
            )
            states[kind] = state
            if decision is None:
                continue
            if decision.step in (Step.OPENED, Step.REOPENED):
                episodes.append(
                    Episode(
                        kind=kind.value,
                        opened=end,
                        alerted=end if decision.tier >= Tier.ALERT else None,
                        columns=tuple(dict.fromkeys(each.column for each in facts.findings)),
                        cause=f"{scale}: {facts.findings[0].sentence}",
                    )
                )
                open_ids[kind] = len(episodes) - 1
            elif (
                decision.step is Step.ESCALATED
                and decision.tier >= Tier.ALERT
                and episodes[open_ids[kind]].alerted is None
            ):
                episodes[open_ids[kind]] = replace(episodes[open_ids[kind]], alerted=end)
            elif decision.step is Step.RESOLVED:
                episodes[open_ids[kind]] = replace(episodes[open_ids[kind]], closed=end)
    return Judged(
        evaluations=evaluations,
        inconclusive=inconclusive,
        episodes=tuple(episodes),
        alarms={k: tuple(v) for k, v in alarms.items()},
        cpu_seconds=cpu_seconds() - begun,
    )
