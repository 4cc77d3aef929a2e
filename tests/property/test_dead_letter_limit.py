"""The limit of dead letters against its definition, one record after the other, whatever the cuts."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from consumers import admission as dead_letter_limit
from consumers.admission import DeadLetterLimit, RecentRecords, decode_recent

REMEMBERED = dead_letter_limit.REMEMBERED
RUNS = st.lists(st.tuples(st.booleans(), st.integers(1, 700)), min_size=1, max_size=8)
LIMITS = st.builds(
    DeadLetterLimit, share=st.sampled_from([0.0, 0.05, 0.2, 0.5, 0.99]), minimum=st.sampled_from([1, 7, 50, 400])
)


def first_past_by_definition(line: list[bool], limit: DeadLetterLimit) -> int | None:
    for end in range(1, len(line) + 1):
        last = line[max(0, end - REMEMBERED) : end]
        if sum(last) >= limit.minimum and sum(last) > limit.share * len(last):
            return end - 1
    return None


@given(RUNS, LIMITS, st.data())
def test_the_record_that_passes_the_limit_is_the_same_for_any_cuts(
    runs: list[tuple[bool, int]], limit: DeadLetterLimit, data: st.DataObject
) -> None:
    """Cut anywhere, stored and loaded in between: the first record past the limit is the one of the definition."""
    line = [bad for bad, count in runs for _ in range(count)]
    expected = first_past_by_definition(line, limit)
    recent, start, first_over_limit = RecentRecords(), 0, None
    while start < len(line) and first_over_limit is None:
        stop = data.draw(st.integers(start + 1, len(line)))
        part = np.array(line[start:stop], dtype=np.bool_)
        past = recent.first_over_limit(part, limit)
        first_over_limit = None if past is None else start + past
        recent, start = decode_recent(recent.after(part).encoded()), stop
    assert first_over_limit == expected


@given(RUNS)
def test_what_is_remembered_is_the_last_thousand(runs: list[tuple[bool, int]]) -> None:
    """Length and bad places are those of the last thousand; without bad ones they take two bytes."""
    line = [bad for bad, count in runs for _ in range(count)]
    recent = RecentRecords()
    for bad, count in runs:
        recent = recent.after(np.full(count, bad))
    last = line[-REMEMBERED:]
    assert recent.length == len(last)
    assert recent.bad.tolist() == [place for place, bad in enumerate(last) if bad]
    assert (len(recent.encoded()) == 2) == (not any(last))
