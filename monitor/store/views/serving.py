"""Which versions of a model serve no more, and up to when a late deployment event of one that serves matters; pure."""

from collections.abc import Iterable, Mapping, Sequence

from monitor.deployments import DeploymentEvent, replaced_versions
from monitor.store.scale_progress import Progress
from monitor.units import DAY_MILLIS, MINUTE_MILLIS, WEEK_MILLIS

LastEnds = Mapping[str, Mapping[int, int]]
"""By version and length (minutes) the end (ms) of the newest window with events."""


def retired_versions(
    history: Sequence[DeploymentEvent],
    last_ends: LastEnds,
    progress: Iterable[Progress],
    *,
    with_incident: frozenset[str],
) -> tuple[str, ...]:
    """Return the versions of *history* and *last_ends* that serve no more, sorted.

    One that was replaced is retired when the last window of the shortest scale has no event of it; one that no
    deployment is known of after a week without events, when its place is free too. Not one *with_incident* that is
    open: somebody has to look at it.

    Args:
        history: Deployments up to now, in order of event time.
    """
    shortest = _shortest(progress)
    replaced = replaced_versions(history)
    unknown = last_ends.keys() - {event.version for event in history}
    retired = {version for version in replaced if _silent(last_ends.get(version, {}), shortest, span=0)}
    retired |= {version for version in unknown if _silent(last_ends[version], shortest, span=WEEK_MILLIS)}
    return tuple(sorted(retired - with_incident))


def notices_since(progress: Iterable[Progress]) -> int:
    """Return the time (ms) before which no window that is evaluated from now on begins, and a day ago at least.

    0 before the first window was evaluated.
    """
    running = _running(progress)
    if not running:
        return 0
    longest = max(running, key=lambda scale: scale.length)
    return longest.evaluated_until - max(DAY_MILLIS, longest.length * MINUTE_MILLIS)


def _silent(ends: Mapping[int, int], shortest: Progress | None, *, span: int) -> bool:
    """Return whether a version has had no event for *span* (ms), or for one window of the shortest scale."""
    if shortest is None:
        return not ends
    last = ends.get(shortest.length)
    return last is None or shortest.evaluated_until - last >= max(span, shortest.length * MINUTE_MILLIS)


def _shortest(progress: Iterable[Progress]) -> Progress | None:
    return min(_running(progress), key=lambda scale: scale.length, default=None)


def _running(progress: Iterable[Progress]) -> list[Progress]:
    """Return the scales that go on: one that the spec gave up stays where it was."""
    scales = tuple(progress)
    newest = max((scale.evaluated_until for scale in scales), default=0)
    return [scale for scale in scales if newest - scale.evaluated_until < scale.length * MINUTE_MILLIS]
