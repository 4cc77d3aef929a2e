"""Versions beyond the cap are counted as `other`: which ones, when that changes, and at what cost."""

from typing import Any

from consumers.version_places import ASK_AGAIN_SECONDS, VersionPlaces
from monitor.store.model_versions import PlacedVersions
from monitor.types import SeriesKey
from monitor.units import HOUR_MILLIS
from tests.fakes.records import Bench, configuration
from tests.models.credit import START, encoded, prediction_event

HOUR = START // HOUR_MILLIS * HOUR_MILLIS


def versions(bench: Bench) -> set[str]:
    return {series.version for series, _, _ in bench.pending.panes}


def event(number: int, version: str, **changes: Any) -> bytes:
    return encoded(prediction_event(number, version=version, at=START + number, **changes))


def test_the_versions_that_come_first_have_places_and_the_rest_is_other() -> None:
    """A request id in the version: a hundred thousand of them are two panes more than the cap, and all are counted."""
    bench = Bench(configured=configuration(versions=5, segments=[]))
    for start in range(0, 100_000, 5_000):
        bench.take_bodies(*(event(number, f"v{number:06d}") for number in range(start, start + 5_000)))
        bench.next = start + 5_000
    named = {f"v{number:06d}" for number in range(5)}
    assert versions(bench) == {*named, "other"}
    assert bench.counters().counted == 100_000
    assert (
        sum(pane.events for (series, _, _), pane in bench.pending.panes.items() if series.version == "other") == 99_995
    )
    assert list(bench.pending.versions[1]) == sorted(named)
    assert {version for block in bench.pending.predictions for version in block.versions} == {*named, "other"}


def test_identities_are_of_the_version_as_it_was_sent() -> None:
    """Two versions counted as `other` predict the same id: two predictions, and each again is a duplicate."""
    bench = Bench(configured=configuration(versions=1, segments=[]))
    bench.take_bodies(event(1, "a"), event(1, "b"), event(1, "c"), event(1, "b"))
    assert (bench.counters().counted, bench.counters().duplicates) == (3, 1)
    assert versions(bench) == {"a", "other"}


def test_under_the_cap_batches_do_not_matter() -> None:
    """One by one or all at once: the same series, the same claims."""
    one, all_at_once = (Bench(configured=configuration(versions=4, segments=[])) for _ in range(2))
    bodies = [event(number, f"v{number % 4}") for number in range(40)]
    all_at_once.take_bodies(*bodies)
    for body in bodies:
        one.take_bodies(body)
    assert one.panes() == all_at_once.panes()
    assert one.pending.versions == all_at_once.pending.versions


def test_a_refused_version_is_counted_as_other_from_then_on() -> None:
    """Another worker was faster: the batch is counted again; a minute later one version asks once more."""
    now = [0.0]
    places = VersionPlaces(seconds=lambda: now[0])
    places.set_placed({}, {1: 2})
    claims: dict[int, dict[str, int]] = {}
    assert places.counted_as(1, ["a", "b", "c"], newest=START, claims=claims) == ["a", "b", "other"]
    assert places.claimed({1: PlacedVersions(hours={"x": HOUR, "a": HOUR}, refused=frozenset({"b"}))})
    claims = {}
    assert places.counted_as(1, ["a", "b", "c", "x"], newest=START, claims=claims) == ["a", "other", "other", "x"]
    assert not claims
    now[0] += ASK_AGAIN_SECONDS
    assert places.counted_as(1, ["b", "c"], newest=START, claims=claims) == ["b", "other"]
    assert claims == {1: {"b": HOUR}}
    assert not places.claimed({1: PlacedVersions(hours={"x": HOUR, "b": HOUR})}), "`a` had retired"
    assert places.counted_as(1, ["b"], newest=START, claims={}) == ["b"]


def test_a_placed_version_says_once_an_hour_that_it_lives() -> None:
    """Its newest hour is what keeps its place; within the hour it costs nothing, and no list is made."""
    places = VersionPlaces(seconds=lambda: 0.0)
    places.set_placed({1: PlacedVersions(hours={"a": HOUR})}, {1: 2})
    claims: dict[int, dict[str, int]] = {}
    names = ["a"] * 100
    assert places.counted_as(1, names, newest=HOUR + 5, claims=claims) is names
    assert not claims
    places.counted_as(1, names, newest=HOUR + HOUR_MILLIS, claims=claims)
    assert claims == {1: {"a": HOUR + HOUR_MILLIS}}


def test_a_version_that_is_called_other_has_no_place_of_its_own() -> None:
    """The name is taken."""
    bench = Bench(configured=configuration(versions=5, segments=[]))
    bench.take_bodies(event(1, "other"), event(2, "a"))
    assert set(bench.pending.versions[1]) == {"a"}
    assert {key for key, _, _ in bench.pending.panes} == {SeriesKey(1, "a"), SeriesKey(1, "other")}
