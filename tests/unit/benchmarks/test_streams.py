"""Each synthetic stream has the properties that its name claims, checked against mathematics."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from benchmarks.detection.catalogue import (
    burst_recipe,
    change_recipes,
    closing_recipes,
    dependent_truth_recipes,
    fall_recipes,
    long_memory_recipes,
    over_again,
    quiet_recipes,
    second_change_recipes,
)
from benchmarks.detection.columns import DISTRIBUTIONS
from benchmarks.detection.concept import Truths
from benchmarks.detection.movement import Movement
from benchmarks.detection.recipe import START, Recipe, make_stream
from benchmarks.detection.stream import DAY, HOUR, MINUTE, Stream, times_of
from benchmarks.detection.traffic import Traffic

BY_NAME = {
    quiet_recipe.name: quiet_recipe for quiet_recipe in (*quiet_recipes(days=1.0, sparse_days=1.0), *change_recipes())
}


def small(name: str, *, reference_days: float = 0.25, seed: int = 1) -> Stream:
    """Return the stream *name* with a short reference."""
    return make_stream(replace(BY_NAME[name], reference_days=reference_days), reference_seed=seed, current_seed=seed)


def changed_column(stream: Stream) -> tuple[np.ndarray, np.ndarray]:
    """Return the changed column's values before and from the change on, missing ones as NaN."""
    assert stream.change is not None
    [name] = stream.change.columns
    values = np.asarray(stream.current[name].to_numpy())
    after = times_of(stream.current) >= stream.change.start
    return values[~after], values[after]


@pytest.mark.parametrize(("size", "expected"), [(0.3, 0.086), (0.5, 0.238), (0.7, 0.462), (1.0, 0.926)])
def test_a_shift_has_the_psi_that_a_normal_shift_has_on_deciles(size: float, expected: float) -> None:
    """The PSI of the shifted column is that of Phi's deciles under N(size, 1), within its own standard error."""
    before, after = changed_column(small(f"shift {size:g}"))
    edges = stats.norm.ppf(np.linspace(0.0, 1.0, 11))
    exact = np.diff(stats.norm.cdf(edges - size))
    assert np.sum((exact - 0.1) * np.log(exact / 0.1)) == pytest.approx(expected, abs=5e-4)
    share = np.histogram(after, edges)[0] / after.size
    # PSI's delta-method error at 66,000 events is under 0.012; the pseudo-random draws here are fixed.
    assert np.sum((share - 0.1) * np.log(share / 0.1)) == pytest.approx(expected, rel=0.06)
    assert stats.kstest(before, "norm").pvalue > 1e-4


def test_only_the_named_column_changes() -> None:
    """Every other column is from the reference's distribution on both sides of the change."""
    stream = small("shift 1")
    assert stream.change is not None
    after = times_of(stream.current) >= stream.change.start
    means = {name: float(stream.current[name].to_numpy()[after].mean()) for name in stream.features}
    moved = {name for name, mean in means.items() if abs(mean) > 5 / np.sqrt(after.sum())}
    assert moved == set(stream.change.columns)


def test_equal_seeds_give_equal_streams_and_others_do_not() -> None:
    """The reference depends on its own seed only, the current part on both; two kinds share no noise."""
    recipe = Recipe(name="a", columns=2, reference_days=0.1, current_days=0.1)
    one, same = (make_stream(recipe, reference_seed=1, current_seed=5) for _ in range(2))
    assert one.reference.equals(same.reference)
    assert one.current.equals(same.current)
    other = make_stream(recipe, reference_seed=1, current_seed=6)
    assert other.reference.equals(one.reference)
    assert not other.current.equals(one.current)
    renamed = make_stream(replace(recipe, name="b"), reference_seed=1, current_seed=5)
    assert not renamed.reference.equals(one.reference)


def test_a_daily_cycle_has_ten_times_the_traffic_at_noon_and_the_same_on_average() -> None:
    """Busiest to quietest minute is 10:1 within a rounded event, 100 a minute on average, times in order."""
    times = Traffic(ratio=10.0).times(start=START, minutes=3 * 1440)
    counts = np.bincount((times - START) // MINUTE)
    assert np.all(np.diff(times) > 0)
    assert counts.sum() == pytest.approx(3 * 144_000, abs=1)
    quiet, busy = counts[:30].mean(), counts[705:735].mean()
    assert busy / quiet == pytest.approx(10.0, rel=0.03)  # half an hour around the extremes is 0.4 % off each
    assert (int(np.argmax(counts)) % 1440) == pytest.approx(720, abs=45)


def test_a_daily_cycle_moves_the_mean_by_four_tenths() -> None:
    """The hourly mean's extremes are 0.4 sigma either side, six hours after midnight and before it."""
    stream = make_stream(replace(BY_NAME["daily cycle"], columns=1), reference_seed=2, current_seed=2)
    hours = (times_of(stream.reference) % DAY) // HOUR
    values = stream.reference["c00"].to_numpy()
    means = np.array([values[hours == hour].mean() for hour in range(24)])
    assert means.max() == pytest.approx(0.4, abs=0.02)
    assert means.min() == pytest.approx(-0.4, abs=0.02)
    assert int(means.argmax()) in (5, 6)
    assert int(means.argmin()) in (17, 18)


@pytest.mark.parametrize("wander", [0.1, 0.2])
def test_wander_has_its_spread_and_its_memory(wander: float) -> None:
    """The mean's standard deviation is *wander*, its correlation 1/e after thirty minutes."""
    minutes = 200_000
    means = Movement(wander=wander).means(np.random.default_rng(3), start=START, minutes=minutes)
    # 200,000 minutes hold 3,300 independent stretches (memory 30, both sides): 2.5 % is two standard errors.
    assert means.std() == pytest.approx(wander, rel=0.025)
    assert np.corrcoef(means[:-30], means[30:])[0, 1] == pytest.approx(np.exp(-1.0), abs=0.05)


@pytest.mark.parametrize("name", ["shift 0.5 on daily cycle", "shift 1 on wander 0.2"])
def test_a_shift_on_moving_ground_is_a_shift_of_the_same_ground(name: str) -> None:
    """The changed column less any other one's ground still moved by the shift's size."""
    stream = small(name)
    assert stream.change is not None
    before, after = changed_column(stream)
    drift = after[-24_000:].mean() - before[-6_000:].mean()
    # The ground itself moves by at most 0.8 between two stretches of a cycle, by 0.3 with wander.
    assert abs(drift - stream.change.size) < 0.8


def test_missing_values_are_a_twentieth_from_the_change_on() -> None:
    """0 % before, 5 % after, within four binomial standard errors."""
    stream = small("missing 5 %")
    assert stream.change is not None
    column = stream.current[stream.change.columns[0]]
    after = times_of(stream.current) >= stream.change.start
    missing = column.is_null().to_numpy()
    assert not missing[~after].any()
    assert missing[after].mean() == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / after.sum()))


@pytest.mark.parametrize(("name", "share"), [("new category 2 %", 0.02), ("new category 0.5 %", 0.005)])
def test_a_new_category_has_its_share(name: str, share: float) -> None:
    """A category that the reference never had comes up at the change, with its share."""
    stream = small(name)
    before, after = changed_column(stream)
    known = set(stream.reference[stream.change.columns[0]].to_pylist()) if stream.change else set()
    new = ~np.isin(after.astype(str), sorted(known))
    assert set(before.astype(str)) <= known
    assert new.mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / after.size))


def test_a_unit_change_multiplies_and_a_constant_stands_still() -> None:
    """Median absolute values are a hundred times larger; a constant column has one value that the reference knows."""
    before, after = changed_column(small("unit change x100"))
    assert np.median(np.abs(after)) == pytest.approx(100 * np.median(np.abs(before)), rel=0.1)
    stream = small("constant column")
    _, after = changed_column(stream)
    assert np.unique(after.astype(str)).size == 1
    assert stream.change is not None
    assert after[0] in stream.current[stream.change.columns[0]].to_pylist()[:1]


def test_a_gradual_shift_is_half_done_after_three_hours() -> None:
    """The mean rises linearly to 0.7 over six hours and stays there."""
    stream = small("gradual 0.7")
    _, after = changed_column(stream)
    hours = after[: 6 * 6000].reshape(6, 6000).mean(axis=1)
    middle = 0.7 * (np.arange(6) + 0.5) / 6
    assert hours == pytest.approx(middle, abs=4 / np.sqrt(6000))
    assert after[36_000:].mean() == pytest.approx(0.7, abs=4 / np.sqrt(after.size - 36_000))


def test_errors_double_while_the_inputs_stay() -> None:
    """One truth in ten differs from its label before the change, one in five after; truths come later than events."""
    stream = small("error rate 0.1 to 0.2")
    assert stream.change is not None
    assert stream.has_truths
    wrong = stream.current["label"].to_numpy() != stream.current["truth"].to_numpy()
    after = times_of(stream.current) >= stream.change.start
    assert wrong[~after].mean() == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / (~after).sum()))
    assert wrong[after].mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / after.sum()))
    delays = times_of(stream.current, "truth_at") - times_of(stream.current)
    assert np.all(delays == 30 * MINUTE)


def test_a_change_that_is_over_leaves_the_column_as_it_was() -> None:
    """After its two hours the shifted column has the reference's mean again."""
    recipe = over_again(BY_NAME["shift 1"], hours=2.0, then_days=0.5)
    stream = make_stream(replace(recipe, reference_days=0.25), reference_seed=1, current_seed=1)
    assert stream.change is not None
    assert stream.change.stop == stream.change.start + 2 * HOUR
    values = stream.current[stream.change.columns[0]].to_numpy()
    times = times_of(stream.current)
    during = (times >= stream.change.start) & (times < stream.change.stop)
    assert values[during].mean() == pytest.approx(1.0, abs=4 / np.sqrt(during.sum()))
    assert values[times >= stream.change.stop].mean() == pytest.approx(0.0, abs=4 / np.sqrt(30_000))


@pytest.mark.parametrize(
    ("name", "share"), [("zeros", 0.6), ("poisson", np.exp(-3.0)), ("few", 0.55), ("rounded", 0.0399)]
)
def test_ties_have_their_zeros(name: str, share: float) -> None:
    """The share of exact zeros is what the distribution says."""
    values = DISTRIBUTIONS[name](np.random.default_rng(4), 100_000)
    assert np.mean(values == 0.0) == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 100_000))


@pytest.mark.parametrize(
    ("name", "exact"),
    [
        ("lognormal", stats.lognorm(2.0)),
        ("pareto", stats.pareto(1.1)),
        ("cauchy", stats.cauchy()),
        ("normal", stats.norm()),
    ],
)
def test_heavy_tails_are_as_heavy_as_they_claim(name: str, exact: stats.rv_continuous) -> None:
    """Kolmogorov-Smirnov finds no difference from scipy's own distribution in 20,000 draws."""
    assert stats.kstest(DISTRIBUTIONS[name](np.random.default_rng(5), 20_000), exact.cdf).pvalue > 1e-3


def test_a_closing_stream_has_just_so_many_events_in_each_hourly_window() -> None:
    """200, 300 and 400 events in every hour from any minute on; 1 sigma for three hours, a day and more after it."""
    for recipe in closing_recipes():
        times = recipe.traffic.times(start=START, minutes=1440)
        counts = np.bincount((times - START) // MINUTE, minlength=1440)
        hours = np.convolve(counts, np.ones(60, dtype=int), mode="valid")
        assert {f"{hours.min()} events", f"{hours.max()} events"} == {recipe.name.split(", ")[1]}
    stream = make_stream(replace(closing_recipes(columns=(20,))[0], columns=2), reference_seed=1, current_seed=1)
    assert stream.change is not None
    assert stream.change.stop == stream.change.start + 3 * HOUR
    assert times_of(stream.current)[-1] - stream.change.stop > 24 * HOUR


@pytest.mark.parametrize("recipe", second_change_recipes(), ids=lambda recipe: recipe.name)
def test_a_second_change_is_of_another_column_fifteen_hours_later(recipe: Recipe) -> None:
    """
    hours     0   2-3               +3 h              +15-16 h           end
                  1 sigma (or: it lasts)     over             0.5 sigma of another column, to the end
    """
    stream = make_stream(replace(recipe, columns=3, reference_days=0.25), reference_seed=1, current_seed=2)
    first, second = stream.change, stream.second
    assert first is not None
    assert second is not None
    assert first.columns != second.columns
    assert 15 * HOUR <= second.start - (first.stop or first.start) <= 16 * HOUR
    times = times_of(stream.current)
    assert times[-1] - second.start > 20 * HOUR
    for change in (first, second):
        values = stream.current[change.columns[0]].to_numpy()
        during = (times >= change.start) & (times < (change.stop or times[-1] + 1))
        assert values[during].mean() == pytest.approx(change.size, abs=4 / np.sqrt(during.sum()))
        assert values[~during].mean() == pytest.approx(0.0, abs=4 / np.sqrt((~during).sum()))


def test_a_burst_of_missing_values_lasts_45_minutes() -> None:
    """Three in ten of 4,500 values are missing, before and after it none."""
    stream = make_stream(replace(burst_recipe(), reference_days=0.25), reference_seed=1, current_seed=1)
    assert stream.change is not None
    times, column = times_of(stream.current), stream.current[stream.change.columns[0]]
    missing = times[column.is_null().to_numpy()]
    assert missing.size == pytest.approx(0.3 * 4500, abs=4 * np.sqrt(0.21 * 4500))
    assert missing.min() >= stream.change.start
    assert missing.max() < stream.change.start + 45 * MINUTE


def test_a_long_memory_is_six_hours_or_a_day() -> None:
    """The wander's correlation is 1/e at its memory, in each of the eight kinds; their references differ in length."""
    recipes = long_memory_recipes(days=1.0)
    assert [(recipe.movement.memory_minutes / 60, recipe.reference_days) for recipe in recipes] == [
        (hours, days) for hours in (6.0, 24.0) for days in (5.0, 7.0, 14.0, 28.0)
    ]
    for recipe in (recipes[0], recipes[4]):
        memory = int(recipe.movement.memory_minutes)
        means = recipe.movement.means(np.random.default_rng(3), start=START, minutes=2000 * memory)
        # 1,000 independent stretches: two standard errors are 4.5 % of the spread.
        assert means.std() == pytest.approx(0.2, rel=0.045)
        assert np.corrcoef(means[:-memory], means[memory:])[0, 1] == pytest.approx(np.exp(-1.0), abs=0.06)


def test_accuracies_fall_as_their_names_say() -> None:
    """Of each phase the share of right predictions is what it should be; rises are no falls, a stair is one."""
    for recipe in fall_recipes():
        stream = make_stream(replace(recipe, columns=1, reference_days=1.0), reference_seed=1, current_seed=1)
        assert recipe.truths is not None
        begun, rights = START + DAY, stream.current["label"].to_numpy() == stream.current["truth"].to_numpy()
        times = times_of(stream.current)
        for hours, accuracy in recipe.truths.phases:
            here = (times >= begun) & (times < begun + hours * HOUR)
            error = np.sqrt(accuracy * (1 - accuracy) / here.sum())
            assert rights[here].mean() == pytest.approx(accuracy, abs=4 * error)
            begun += round(hours * HOUR)
        of_reference = stream.reference["label"].to_numpy() == stream.reference["truth"].to_numpy()
        first = recipe.truths.phases[0][1]
        assert of_reference.mean() == pytest.approx(first, abs=4 * np.sqrt(first * (1 - first) / of_reference.size))
    falls = [recipe.truths.falls(start=0, stop=100 * HOUR) for recipe in fall_recipes() if recipe.truths is not None]
    assert [[(fall.start // HOUR, fall.stop // HOUR, len(fall.steps)) for fall in of_kind] for of_kind in falls] == [
        [(12, 100, 1)],
        [(24, 36, 1), (84, 100, 1)],
        [(12, 100, 20)],
    ]
    assert falls[2][0].accuracy_at(19 * HOUR) == pytest.approx(0.82)


@pytest.mark.parametrize("recipe", dependent_truth_recipes(days=1.0), ids=lambda recipe: recipe.name)
def test_errors_of_the_same_five_minutes_go_together(recipe: Recipe) -> None:
    """The variance of a block's error rate is p(1-p)/n (1 + (n-1) rho); blocks are independent, the mean is 0.1."""
    assert recipe.truths is not None
    times = Traffic(per_minute=20.0).times(start=START, minutes=200 * 1440)
    rates = recipe.truths.error_rates(np.random.default_rng(6), times, start=START, current=True)
    wrong = np.random.default_rng(7).random(times.size) < rates
    blocks = wrong.reshape(-1, 100).mean(axis=1)
    expected = 0.09 / 100 * (1 + 99 * recipe.truths.correlation)
    # 57,600 blocks; a beta's tail leaves the variance's own error under 2 %, of which this is three.
    assert blocks.var() == pytest.approx(expected, rel=0.06)
    assert blocks.mean() == pytest.approx(0.1, abs=4 * np.sqrt(expected / blocks.size))
    assert np.corrcoef(blocks[:-1], blocks[1:])[0, 1] == pytest.approx(0.0, abs=4 / np.sqrt(blocks.size))


def test_the_first_accuracy_is_the_references() -> None:
    """A reference is not a phase on: however long it is, its errors are those of the first phase."""
    truths = Truths(phases=((1.0, 0.9), (1.0, 0.2)))
    times = START + np.arange(10) * HOUR
    random = np.random.default_rng(1)
    reference = truths.error_rates(random, times, start=START, current=False)
    assert reference == pytest.approx(np.full(10, 0.1))
    current = truths.error_rates(random, times, start=START, current=True)
    assert current == pytest.approx(np.array([0.1, *([0.8] * 9)]))
