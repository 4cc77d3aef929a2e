"""Which windows are judged again when the first deployment of a version turns out to be another one."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from monitor.evaluate.late_deployments import final_until, is_news, judged_otherwise, windows_to_judge
from monitor.store.scale_progress import Progress
from monitor.store.version_warm_ups import WarmUp
from monitor.types import Scale
from monitor.units import MINUTE_MILLIS
from monitor.windows.sliding import step_millis

SCALE = Scale(length=10, step=5)
moments = st.integers(0, 40).map(lambda minutes: minutes * MINUTE_MILLIS)
warm_ups = st.builds(WarmUp, version=st.just("2"), deployed_at=moments, warming=st.booleans())


def in_warm_up(known: WarmUp | None, end: int) -> bool:
    return known is not None and known.warming and end > known.deployed_at


@given(known=st.none() | warm_ups, now=warm_ups, ends=st.tuples(moments, moments), judged_after=st.none() | moments)
def test_exactly_what_is_judged_otherwise_and_not_final_is_judged_again(
    known: WarmUp | None, now: WarmUp, ends: tuple[int, int], judged_after: int | None
) -> None:
    final, evaluated = sorted(ends)
    progress = {
        SCALE.length: Progress(
            length=SCALE.length, evaluated_until=evaluated, final_until=final, judged_after=judged_after
        )
    }
    span = judged_otherwise(known, now)
    due = () if span is None else tuple(windows_to_judge([7], (SCALE,), span, progress=progress))
    step = step_millis(SCALE)
    for end in range(0, 41 * MINUTE_MILLIS, step):
        otherwise = in_warm_up(known, end) != in_warm_up(now, end)
        is_open = final < end <= evaluated and (judged_after is None or end > judged_after)
        assert any(windows.after < end <= windows.until for windows in due) == (otherwise and is_open)
        if otherwise and end <= final and span is not None:
            assert (stays := final_until(span, progress=progress, began=-1)) is not None
            assert stays >= end


@given(known=warm_ups, later=st.integers(0, 60))
def test_a_first_event_that_is_later_than_before_is_no_news(known: WarmUp, later: int) -> None:
    """Retention dropped the one before: nothing was learnt of the version."""
    assert is_news(None, known)
    assert not is_news(known, replace(known, deployed_at=known.deployed_at + later))
    assert is_news(known, replace(known, deployed_at=known.deployed_at - 1))
    assert is_news(known, replace(known, warming=not known.warming, deployed_at=known.deployed_at + later))


@given(now=warm_ups, began=moments)
def test_windows_before_the_first_event_do_not_stay(now: WarmUp, began: int) -> None:
    span = judged_otherwise(None, now)
    if span is None:
        return
    progress = {SCALE.length: Progress(length=SCALE.length, evaluated_until=began, final_until=began)}
    assert final_until(span, progress=progress, began=began) is None
