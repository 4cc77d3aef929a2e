"""Windows against brute force: due ends, cuts, merging in any order, and what may be compacted."""

from random import Random

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from monitor.types import Scale, Window
from monitor.units import MINUTE_MILLIS
from monitor.windows.compaction import SPANS, ScaleProgress, compactable_before
from monitor.windows.count_cache import narrowed, total
from monitor.windows.pane_codec import decode_counts, encode_counts
from monitor.windows.sliding import (
    EventSpan,
    PaneRow,
    StepRows,
    ends_covering,
    ends_reading,
    ends_with_events,
    first_end_with_events,
)

scales = st.builds(
    lambda step, halves: Scale(length=2 * step * halves, step=step), st.integers(1, 7), st.integers(1, 4)
)
minute_sets = st.lists(st.integers(0, 200), max_size=30)


@given(scales, minute_sets, st.none() | st.integers(0, 40), st.integers(0, 250))
def test_due_ends_are_those_of_brute_force(scale: Scale, panes: list[int], after: int | None, until: int) -> None:
    """Every multiple of the step in (after, until] whose window holds a pane, and no other."""
    stretches = [EventSpan(pane * MINUTE_MILLIS, (pane + 1) * MINUTE_MILLIS) for pane in sorted(panes)]
    last = None if after is None else after * scale.step * MINUTE_MILLIS
    expected = [
        end
        for end in range(until + 1)
        if end % scale.step == 0
        and (after is None or end > after * scale.step)
        and any(end - scale.length <= pane < end for pane in panes)
    ]
    result = list(ends_with_events(scale, stretches, after=last, until=until * MINUTE_MILLIS))
    assert result == [end * MINUTE_MILLIS for end in expected]
    reached = [
        stretch
        for stretch in stretches
        if last is None or stretch.stop > last + (scale.step - scale.length) * MINUTE_MILLIS
    ]
    if result:
        assert first_end_with_events(scale, reached[0], after=last) == result[0]


@given(scales, minute_sets, st.integers(0, 250))
def test_covering_ends_are_those_of_brute_force(scale: Scale, minutes: list[int], until: int) -> None:
    """Exactly the windows that hold a changed minute and have closed."""
    expected = {
        end * MINUTE_MILLIS
        for end in range(until + 1)
        if end % scale.step == 0 and any(end - scale.length <= minute < end for minute in minutes)
    }
    result = ends_covering(scale, (minute * MINUTE_MILLIS for minute in minutes), until=until * MINUTE_MILLIS)
    assert result == expected


@given(scales, minute_sets, st.integers(1, 60))
def test_cuts_are_those_of_brute_force(scale: Scale, minutes: list[int], number: int) -> None:
    """Each part of a window holds exactly the rows whose minute lies in it."""
    rows = [PaneRow(index, 1, minute * MINUTE_MILLIS, 1, 1, 0) for index, minute in enumerate(sorted(minutes))]
    window = Window(scale, number * scale.step * MINUTE_MILLIS)
    cut = StepRows(scale, rows).window(window.end)

    def between(start: int, stop: int) -> list[int]:
        return [row.row_id for row in rows if start <= row.start < stop]

    def ids(steps: tuple[tuple[PaneRow, ...], ...]) -> list[int]:
        return sorted(pane.row_id for step in steps for pane in step)

    assert ids(cut.first_half) == between(window.start, window.middle)
    assert ids(cut.second_half) == between(window.middle, window.end)
    assert ids(cut.previous) == between(window.previous_start, window.start)


@given(
    st.lists(st.lists(st.integers(0, 2**40), min_size=4, max_size=4), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_panes_merge_in_any_order_and_grouping(vectors: list[list[int]], random: Random) -> None:
    """Integers only: however panes are grouped, stored and added, the sum is the same, bit by bit."""
    expected = np.sum(np.array(vectors, dtype=np.int64), axis=0)
    parts: list[npt.NDArray[np.integer]] = [
        decode_counts(encode_counts(np.array(vector, dtype=np.int64)), size=4) for vector in vectors
    ]
    while len(parts) > 1:
        random.shuffle(parts)
        merged = total(parts[:2], size=4)
        parts = [
            narrowed(merged) if random.random() < 0.5 else decode_counts(encode_counts(merged), size=4),
            *parts[2:],
        ]
    assert np.array_equal(np.asarray(parts[0], dtype=np.int64), expected)


@given(st.lists(st.tuples(scales, st.integers(-1, 40)), min_size=1, max_size=4), st.sampled_from(SPANS))
def test_no_window_to_come_cuts_inside_a_longer_span(progress: list[tuple[Scale, int]], span: int) -> None:
    """Brute force over every window after the settled ones: no cut lies inside a span that may be built.

    ::

        settled |  next end - 2 lengths ......... middle ..... next end
                |  ^ the earliest cut             ^            ^
    """
    settled = [ScaleProgress(scale, ends * scale.step * MINUTE_MILLIS) for scale, ends in progress]
    limit = compactable_before(settled, span=span)
    size = span * MINUTE_MILLIS
    for scale in settled:
        step = scale.scale.step * MINUTE_MILLIS
        for end in range(scale.settled_until + step, scale.settled_until + 30 * step, step):
            window = Window(scale.scale, end)
            for cut in (window.previous_start, window.start, window.middle, window.end):
                start = cut // size * size
                may_be_built = limit is None or start + size <= limit
                assert start == cut or not may_be_built


@given(scales, st.integers(0, 60), st.integers(0, 300), st.sampled_from(SPANS))
def test_no_window_that_may_be_revised_cuts_inside_a_longer_span(
    scale: Scale, ends: int, open_: int, span: int
) -> None:
    """An event from *open_* on may come: each window that reads it, itself or before it, can still be cut."""
    settled = ScaleProgress(scale, ends * scale.step * MINUTE_MILLIS)
    limit = compactable_before([settled], span=span, open_from=open_ * MINUTE_MILLIS)
    size = span * MINUTE_MILLIS
    for minute in range(open_, open_ + 40):
        for end in ends_reading(scale, [minute * MINUTE_MILLIS], until=10**12):
            window = Window(scale, end)
            for cut in (window.previous_start, window.start, window.middle, window.end):
                start = cut // size * size
                assert start == cut or (limit is not None and start + size > limit)


@given(scales, minute_sets, st.integers(0, 250))
def test_reading_ends_are_those_of_brute_force(scale: Scale, minutes: list[int], until: int) -> None:
    """Exactly the closed windows that hold a changed minute, or whose previous disjoint window does."""
    expected = {
        end * MINUTE_MILLIS
        for end in range(until + 1)
        if end % scale.step == 0 and any(end - 2 * scale.length <= minute < end for minute in minutes)
    }
    assert ends_reading(scale, (minute * MINUTE_MILLIS for minute in minutes), until=until * MINUTE_MILLIS) == expected


@given(scales, st.integers(0, 40))
def test_compaction_goes_as_far_as_it_may(scale: Scale, ends: int) -> None:
    """A minute further, and the next window would cut inside: the limit is exact."""
    settled = ends * scale.step * MINUTE_MILLIS
    limit = compactable_before([ScaleProgress(scale, settled)], span=1000)
    assert limit == Window(scale, settled + scale.step * MINUTE_MILLIS).previous_start
