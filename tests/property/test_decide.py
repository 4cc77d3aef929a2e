"""What holds for the decision about any window whatever."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.detection import conclude_window, examine_window, prepare_reference
from monitor.reference.layout import CellsLayout
from monitor.result_codec import decode_result, encode_result
from monitor.types import IncidentKind, Tier, Verdict
from tests.models.decided import decide_window
from tests.unit.detection.streams import HOUR, count, layout_of, profile_of, spec_of

EXAMPLES = settings(max_examples=40, deadline=None)
GENERATOR = np.random.default_rng(60)
CITIES = ["berlin", "paris", "rome"]
REFERENCE = {
    "a": GENERATOR.normal(size=4000),
    "b": GENERATOR.poisson(2.0, 4000).astype(float),
    "c": GENERATOR.choice(CITIES, 4000),
    "prediction.score": GENERATOR.random(4000),
}
LAYOUT = layout_of(REFERENCE)
COUNTS = count(LAYOUT, REFERENCE)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[object]]:
    """Draw a table of the reference's columns, shifted, with gaps, or with another unit."""
    events = draw(st.sampled_from([0, 50, 150, 400]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shift, factor = draw(st.sampled_from([0.0, 0.5, 2.0])), draw(st.sampled_from([1.0, 1.0, 100.0]))
    gap = draw(st.sampled_from([0.0, 0.0, 0.1, 1.0]))
    known = draw(st.sampled_from([CITIES, CITIES[:1], [*CITIES, "lyon"]]))
    return {
        "a": [None if generator.random() < gap else value for value in generator.normal(shift, 1.0, events)],
        "b": list(factor * generator.poisson(2.0, events)),
        "c": list(generator.choice(known, events)),
        "prediction.score": list(generator.random(events)),
    }


def layout_named(names: tuple[str, ...]) -> CellsLayout:
    by_name = {column.name: column for column in LAYOUT.columns}
    return CellsLayout(columns=tuple(by_name[name] for name in names))


@EXAMPLES
@given(tables(), tables(), tables(), st.permutations(list(REFERENCE)), st.sampled_from(["default", "textbook"]))
def test_permuting_columns_permutes_the_results_and_nothing_else(
    first: dict[str, list[object]],
    second: dict[str, list[object]],
    before: dict[str, list[object]],
    order: list[str],
    rule: str,
) -> None:
    """Verdict, findings, their order and their sentences do not depend on the order of columns."""
    results = []
    for names in (tuple(REFERENCE), tuple(order)):
        layout = layout_named(names)
        profile = profile_of(layout, count(layout, REFERENCE))
        prepared = prepare_reference(spec_of(layout, drift={"rule": rule}), profile)
        halves = [count(layout, table) for table in (first, second, before)]
        results.append(
            decide_window(
                prepared,
                scale=HOUR,
                first_half=halves[0],
                second_half=halves[1],
                events=len(first["b"]) + len(second["b"]),
                previous=halves[2],
                previous_events=len(before["b"]),
            )
        )
    plain, moved = results
    assert moved.verdict == plain.verdict
    assert moved.reason == plain.reason
    assert moved.calm_below == plain.calm_below
    # The KS distance sums shares over all columns before it: the last digits may differ, nothing else.
    assert [(finding.column, finding.statistic, finding.tier, finding.endured) for finding in moved.findings] == [
        (finding.column, finding.statistic, finding.tier, finding.endured) for finding in plain.findings
    ]
    assert [finding.sentence for finding in moved.findings] == [finding.sentence for finding in plain.findings]
    assert {column.name: (column.n, column.missing, column.unseen) for column in moved.columns} == {
        column.name: (column.n, column.missing, column.unseen) for column in plain.columns
    }


@EXAMPLES
@given(tables(), tables(), tables())
def test_a_result_is_consistent_with_itself(
    first: dict[str, list[object]], second: dict[str, list[object]], before: dict[str, list[object]]
) -> None:
    """The verdict is the worst endured finding; alert and critical drift have the window before; it reads back."""
    prepared = prepare_reference(spec_of(LAYOUT), profile_of(LAYOUT, COUNTS))
    one, two, old = (count(LAYOUT, table) for table in (first, second, before))
    events = len(first["b"]) + len(second["b"])
    examined = examine_window(prepared, scale=HOUR, first_half=one, second_half=two, events=events)
    alone = conclude_window(prepared, examined)
    result = conclude_window(prepared, examined, previous=old, previous_events=len(before["b"]))
    worst = max((finding.tier for finding in result.findings if finding.endured), default=Tier.NONE)
    if result.verdict is not Verdict.INCONCLUSIVE:
        assert result.verdict == ("OK" if worst is Tier.NONE else worst.name)
    assert all(finding.tier is Tier.WARNING for finding in alone.of_kind(IncidentKind.DRIFT))
    assert alone == result or examined.needs_previous
    assert (result.calm_below is None) or list(result.calm_below) == sorted(result.calm_below)
    assert all(f"`{finding.column}`" in finding.sentence for finding in result.findings)
    assert result.sentence
    assert encode_result(decode_result(encode_result(result))) == encode_result(result)
    if events < prepared.min_events:
        assert (result.verdict, result.findings) == (Verdict.INCONCLUSIVE, ())


@EXAMPLES
@given(tables(), tables())
def test_which_half_came_first_changes_no_number(
    first: dict[str, list[object]], second: dict[str, list[object]]
) -> None:
    """The numbers of a window are those of its sum."""
    prepared = prepare_reference(spec_of(LAYOUT), profile_of(LAYOUT, COUNTS))
    one, two = count(LAYOUT, first), count(LAYOUT, second)
    events = len(first["b"]) + len(second["b"])
    forward = decide_window(prepared, scale=HOUR, first_half=one, second_half=two, events=events)
    backward = decide_window(prepared, scale=HOUR, first_half=two, second_half=one, events=events)
    assert forward.columns == backward.columns
