"""The values behind the unseen slot: named once each, in bounded room, for nothing while there are none."""

import tracemalloc
from collections import Counter
from typing import Any

import numpy as np

from consumers.histogram import CategoryCodes
from consumers.unseen_values import LONGEST_VALUE, ROOM, UnseenKey, ValueTally, hour_of, value_text
from monitor.detection.explanation import values_label
from monitor.reference.layout import ColumnCells, ColumnRole, Slot
from monitor.spec.model import ColumnKind
from monitor.stats.heavy_hitters import FrequentValues
from monitor.store.unseen_values import VALUES_NAMED
from monitor.types import SeriesKey
from tests.fakes.records import Bench
from tests.models.credit import COUNTRIES, START, encoded, layout, prediction_event

HOUR = 3_600_000
COUNTRY = ColumnCells(name="country", kind=ColumnKind.CATEGORICAL, role=ColumnRole.FEATURE, categories=("DE", "IT"))


def event(number: int, country: Any, *, at: int = START, **changes: Any) -> bytes:
    features = {"amount": 1.0, "age": 30, "country": country}
    return encoded(prediction_event(number, at=at, features=features, **changes))


def named(bench: Bench) -> dict[UnseenKey, FrequentValues]:
    return {key: tally.named() for key, tally in bench.pending.unseen.items()}


def test_unseen_values_are_named_by_version_column_and_hour() -> None:
    """Each unseen value counts once for its version and hour, although its segment's series counts the event too."""
    bench = Bench()
    rows = [(1, "XX", START, "1.0"), (2, "XX", START, "1.0"), (3, True, START + HOUR, "1.0"), (4, "XX", START, "2.0")]
    known = [(5, "DE", START, "1.0"), (6, None, START, "1.0")]
    bench.take_bodies(*(event(n, value, at=at, version=version) for n, value, at, version in rows + known))
    assert named(bench) == {
        UnseenKey(SeriesKey(1, "1.0"), "country", hour_of(START)): FrequentValues((("XX", 2),)),
        UnseenKey(SeriesKey(1, "1.0"), "country", hour_of(START) + HOUR): FrequentValues((("true", 1),)),
        UnseenKey(SeriesKey(1, "2.0"), "country", hour_of(START)): FrequentValues((("XX", 1),)),
    }


def test_both_ways_of_counting_name_the_same() -> None:
    """Few large groups and many small ones go different ways; the values named are the same."""
    together, apart = Bench(), Bench()
    bodies = [event(n, f"X{n % 3}", at=START + n % 50 * 1000) for n in range(300)]
    spread = [event(n, f"X{n % 3}", at=START + n % 50 * 60_000) for n in range(300)]
    together.take_bodies(*bodies)
    apart.take_bodies(*spread)
    for bench in (together, apart):
        assert sum((Counter(dict(summary.counts)) for summary in named(bench).values()), Counter()) == {
            "X0": 100, "X1": 100, "X2": 100
        }  # fmt: skip


def test_duplicates_late_and_future_events_name_nothing() -> None:
    """Only what is counted is named."""
    bench = Bench()
    bench.take_bodies(event(1, "XX"), event(1, "XX"), event(2, "YY", at=START + 400 * HOUR))
    (values,) = named(bench).values()
    assert values == FrequentValues((("XX", 1),))


def test_nothing_is_looked_for_until_something_was_unseen() -> None:
    """While every value is known the places are not even read; afterwards the unseen rows are found."""
    codes = CategoryCodes(COUNTRY)

    class Untouchable:
        def __eq__(self, other: object) -> bool:
            raise AssertionError("the places were read")

        __hash__ = None  # type: ignore[assignment]

    codes.places(["DE", "IT", None])
    assert len(codes.unseen_rows(Untouchable())) == 0  # type: ignore[arg-type]
    places = codes.places(["DE", "XX", None, "XX"])
    assert places.tolist() == [0, 2 + Slot.UNSEEN, 2 + Slot.MISSING, 2 + Slot.UNSEEN]
    assert codes.unseen_rows(places).tolist() == [1, 3]
    assert codes.unseen_rows(codes.places(["IT"])).tolist() == []


def test_a_million_categories_take_the_room_of_a_thousand() -> None:
    """However many distinct values come in, the tally stays small, names twenty, and its total is exact."""
    tally = ValueTally()
    for batch in range(200):
        tally.add(f"user-{number}" for number in range(batch * 5000, (batch + 1) * 5000))
        assert len(tally.counts) <= ROOM
    tally.add(["often"] * 100_000)
    result = tally.named()
    assert len(result.counts) <= VALUES_NAMED
    assert result.total == 1_100_000
    # 100,000 of 1,100,000 is more than a 21st, so it must be there; it is counted as no more than it was.
    assert result.counts[0][0] == "often"
    assert 0 < result.counts[0][1] <= 100_000


def test_values_are_cut_and_made_readable() -> None:
    """At most a hundred characters; what cannot be printed is spelled out, so that it is seen and Postgres takes it."""
    assert value_text("x" * 1_000_000) == "x" * (LONGEST_VALUE - 1) + "…"
    assert value_text("x" * LONGEST_VALUE) == "x" * LONGEST_VALUE
    assert value_text("DE\u00a0") == "DE\\xa0"
    assert value_text("a\x00\x1b[2J") == "a\\x00\\x1b[2J"
    assert value_text("\ud83d") == "\\ud83d"
    assert len(value_text("\n" * 100)) == LONGEST_VALUE
    assert [value_text(value) for value in ("Köln", 3.0, True)] == ["Köln", "3", "true"]


def test_counting_again_names_again_and_no_more() -> None:
    """What was counted for a flush that failed is dropped with its counts; the second counting is the only one."""
    bench = Bench()
    bodies = [event(n, "XX") for n in range(10)]
    bench.take_bodies(*bodies)
    first = named(bench)
    again = Bench()
    again.take_bodies(*bodies[:4])
    again.take_bodies(*bodies[4:])
    assert named(again) == first


def test_the_label_shows_shares_and_examples() -> None:
    """Shares of all unseen events, the rest as others; where nothing is frequent, examples."""
    assert values_label(FrequentValues((("DE-BY", 61), ("n/a", 22)), 17)) == "`DE-BY` 61 %, `n/a` 22 %, others 17 %"
    assert values_label(FrequentValues((("XX", 3),), 0)) == "`XX` 100 %"
    seven = FrequentValues(tuple((f"v{number}", 10) for number in range(7)), 30)
    assert values_label(seven) == "`v0` 10 %, `v1` 10 %, `v2` 10 %, `v3` 10 %, `v4` 10 %, others 50 %"
    rare = FrequentValues((("user-1", 0), ("user-2", 0)), 5000)
    assert values_label(rare) == "many others, such as `user-1`, `user-2`"
    assert values_label(FrequentValues()) == ""


def test_an_unseen_slot_is_the_total_of_its_names() -> None:
    """Of every version's whole the unseen slots of its panes add up to what was named."""
    bench = Bench()
    generator = np.random.default_rng(48)
    countries = generator.choice(["DE", "IT", "XX", "YY"], size=400).tolist()
    bench.take_bodies(*(event(n, country, at=START + n * 20_000) for n, country in enumerate(countries)))
    cells = layout()
    place = cells.slot_index[[column.name for column in cells.columns].index("country"), Slot.UNSEEN]
    slots = sum(int(p.counts[place]) for (series, _, _), p in bench.pending.panes.items() if not series.segment_tag)
    expected = sum(country not in COUNTRIES for country in countries)
    assert slots == sum(summary.total for summary in named(bench).values()) == expected > 100


def test_long_categories_are_not_remembered() -> None:
    """Each may be as long as a message: ten thousand of a megabyte would be the worker's whole memory."""
    codes = CategoryCodes(
        ColumnCells(name="c", kind=ColumnKind.CATEGORICAL, role=ColumnRole.FEATURE, categories=("a", "b" * 1000))
    )
    tracemalloc.start()
    for number in range(200):
        assert codes.places([f"{number}" + "x" * 100_000, "b" * 1000, "a"]).tolist() == [2 + Slot.UNSEEN, 1, 0]
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert highest < 2_000_000
