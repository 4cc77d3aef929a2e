"""On a peer's own bins our functions give the peer's number, to 1e-9."""

import json
import math
import os
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from benchmarks.detection.peer_run import ROOT, SILENT
from monitor.arrays import Float64s, Int64s
from monitor.stats.chi_squared import chi_squared_test
from monitor.stats.divergences import hellinger_distance, jensen_shannon_distance, total_variation_distance
from monitor.stats.kolmogorov_smirnov import kolmogorov_smirnov
from monitor.stats.psi import population_stability_index
from monitor.stats.wasserstein import wasserstein_distance
from tests.oracle.one_column import kullback_leibler_divergence, l_infinity_distance

NO_PSEUDOCOUNT = 1e-13  # peers add nothing where no bin is empty; this moves a PSI by less than 1e-12
CATEGORIES = ("a", "b", "c", "d", "e")
REFERENCE_SHARES = (0.3, 0.25, 0.2, 0.15, 0.1)
CURRENT_SHARES = ((0.3, 0.25, 0.2, 0.15, 0.1), (0.1, 0.3, 0.3, 0.2, 0.1), (0.05, 0.05, 0.1, 0.3, 0.5))
Answer = dict[str, float]


def categories(shares: tuple[float, ...], size: int) -> list[str]:
    """Return a sample of categories, every one of them at least five times."""
    random = np.random.default_rng(len(shares) + size)
    return [*random.choice(CATEGORIES, size, p=shares).tolist(), *(CATEGORIES * 5)]


def numbers(seed: int, size: int, *, slope: float) -> Float64s:
    """Return numbers between 0 and 1 that leave no bin empty, later ones more often with a steeper *slope*."""
    return np.random.default_rng(seed).beta(1.0 + slope, 1.0, size)


def whole_numbers(seed: int, size: int, *, mean: float) -> Float64s:
    """Return Poisson numbers, and one each from 0 to 24, so that all values are known."""
    values = np.random.default_rng(seed).poisson(mean, size).clip(0, 24)
    return np.concatenate([values, np.arange(25)]).astype(np.float64)


CATEGORICAL = [(categories(REFERENCE_SHARES, 900), categories(shares, 400)) for shares in CURRENT_SHARES]
NUMERIC = [
    (numbers(1, 3000, slope=0.0), numbers(seed, 800, slope=slope)) for seed, slope in ((2, 0.0), (3, 0.3), (4, 0.8))
]
WHOLE = [
    (whole_numbers(5, 2000, mean=8.0), whole_numbers(seed, 700, mean=mean)) for seed, mean in ((6, 9.0), (7, 12.0))
]


@cache
def answers(python: Path) -> tuple[Answer, ...]:
    """Return the peers' numbers of all cases, in the order CATEGORICAL, NUMERIC, WHOLE."""
    cases = [{"kind": "categorical", "reference": reference, "current": current} for reference, current in CATEGORICAL]
    cases += [
        {"kind": "numeric", "reference": reference.tolist(), "current": current.tolist()}
        for reference, current in (*NUMERIC, *(clipped(*case) for case in WHOLE))
    ]
    done = subprocess.run(
        [str(python), "-m", "benchmarks.detection.peers.agreement"],
        input=json.dumps(cases),
        env={**os.environ, **SILENT, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return tuple(json.loads(done.stdout))


def clipped(reference: Float64s, current: Float64s) -> tuple[Float64s, Float64s]:
    """Return both samples with what is outside the reference's 1st to 99th percentile moved to there."""
    low, high = np.quantile(reference, [0.01, 0.99], method="inverted_cdf")
    return reference.clip(low, high), current.clip(low, high)


def on_categories(sample: list[str]) -> Int64s:
    """Return how often each of CATEGORIES is in *sample*."""
    return np.array([sample.count(category) for category in CATEGORIES])


def on_edges(reference: Float64s, current: Float64s, edges: Float64s) -> tuple[Int64s, Int64s]:
    """Return the counts of both on *edges*; what is outside of them is one bin more, as NannyML has it."""
    counts = [np.histogram(sample, edges)[0] for sample in (reference, current)]
    outside = [len(sample) - int(inside.sum()) for sample, inside in zip((reference, current), counts, strict=True)]
    if any(outside):
        counts = [np.append(inside, more) for inside, more in zip(counts, outside, strict=True)]
    return counts[0], counts[1]


@pytest.mark.parametrize("case", range(len(CATEGORICAL)))
def test_categories_agree_with_both_peers(peers_python: Path, case: int) -> None:
    """PSI, KL, JS, Hellinger, total variation, L-infinity and chi-squared of categories."""
    peer = answers(peers_python)[case]
    reference, current = (on_categories(sample) for sample in CATEGORICAL[case])
    kl = kullback_leibler_divergence(reference, current, pseudocount=NO_PSEUDOCOUNT)
    psi = population_stability_index(reference, current, pseudocount=NO_PSEUDOCOUNT)
    js = jensen_shannon_distance(reference, current)
    assert psi == pytest.approx(peer["evidently psi"], abs=1e-9)
    assert kl == pytest.approx(peer["evidently kl_div"], abs=1e-9)
    assert js == pytest.approx(peer["evidently jensenshannon"], abs=1e-9)
    assert js / math.sqrt(math.log(2)) == pytest.approx(peer["nannyml jensen_shannon"], abs=1e-9)  # in bits
    hellinger = hellinger_distance(reference, current)
    assert hellinger == pytest.approx(peer["nannyml hellinger"], abs=1e-9)
    # Evidently takes the root of 1 minus a sum near 1: its square is what it has exactly.
    assert hellinger**2 == pytest.approx(peer["evidently hellinger"] ** 2, abs=1e-9)
    assert total_variation_distance(reference, current) == pytest.approx(peer["evidently TVD"], abs=1e-9)
    assert l_infinity_distance(reference, current) == pytest.approx(peer["nannyml l_infinity"], abs=1e-9)
    assert chi_squared_test(reference, current).statistic == pytest.approx(peer["nannyml chi2"], abs=1e-9)


@pytest.mark.parametrize("case", range(len(NUMERIC)))
def test_numbers_on_evidentlys_bins_agree_with_evidently(peers_python: Path, case: int) -> None:
    """PSI, KL, JS and Hellinger on Sturges' bins of both samples together."""
    peer = answers(peers_python)[len(CATEGORICAL) + case]
    together = np.concatenate(NUMERIC[case])
    reference, current = on_edges(*NUMERIC[case], np.histogram_bin_edges(together, bins="sturges"))
    assert min(reference.min(), current.min()) > 0
    kl = kullback_leibler_divergence(reference, current, pseudocount=NO_PSEUDOCOUNT)
    psi = population_stability_index(reference, current, pseudocount=NO_PSEUDOCOUNT)
    assert psi == pytest.approx(peer["evidently psi"], abs=1e-9)
    assert kl == pytest.approx(peer["evidently kl_div"], abs=1e-9)
    assert jensen_shannon_distance(reference, current) == pytest.approx(peer["evidently jensenshannon"], abs=1e-9)
    # Its bins are those of the distinct values, of which all are distinct here.
    assert hellinger_distance(reference, current) ** 2 == pytest.approx(peer["evidently hellinger"] ** 2, abs=1e-9)


@pytest.mark.parametrize("case", range(len(NUMERIC)))
def test_numbers_on_nannymls_bins_agree_with_nannyml(peers_python: Path, case: int) -> None:
    """JS and Hellinger on Doane's bins of the reference, with one bin more for what is outside of them."""
    peer = answers(peers_python)[len(CATEGORICAL) + case]
    edges = np.histogram_bin_edges(NUMERIC[case][0], bins="doane")
    reference, current = on_edges(*NUMERIC[case], edges)
    in_bits = jensen_shannon_distance(reference, current) / math.sqrt(math.log(2))
    assert in_bits == pytest.approx(peer["nannyml jensen_shannon"], abs=1e-9)
    assert hellinger_distance(reference, current) == pytest.approx(peer["nannyml hellinger"], abs=1e-9)


@pytest.mark.parametrize("case", range(len(WHOLE)))
def test_a_cell_for_each_value_gives_the_ks_distance_of_raw_samples(peers_python: Path, case: int) -> None:
    """NannyML's KS statistic of whole numbers is ours exactly, and so is our printed error of 0."""
    peer = answers(peers_python)[len(CATEGORICAL) + len(NUMERIC) + case]
    reference, current = (np.bincount(sample.astype(int), minlength=25) for sample in clipped(*WHOLE[case]))
    result = kolmogorov_smirnov(reference, current, point_cells=np.ones(25, dtype=np.bool_))
    assert result.distance == pytest.approx(peer["nannyml kolmogorov_smirnov"], abs=1e-9)
    assert result.error_bound == 0.0


@pytest.mark.parametrize("peer", ["evidently wasserstein", "nannyml wasserstein"])
def test_a_cell_for_each_value_gives_the_wasserstein_distance_of_raw_samples(peers_python: Path, peer: str) -> None:
    """Ours is in interquartile ranges, Evidently's in standard deviations, NannyML's in units: ratios have none.

    The two windows are compared with one reference, clipped alike.
    """
    first, second = (answer[peer] for answer in answers(peers_python)[-2:])
    edges = np.repeat(np.arange(25.0), 2)  # a cell of no width at each value, and an empty one up to the next
    own = []
    for reference, current in WHOLE:
        counts = np.zeros((2, 49), dtype=np.int64)
        counts[:, ::2] = [np.bincount(value.astype(int), minlength=25) for value in (reference, current)]
        own.append(wasserstein_distance(counts[0], counts[1], edges=edges))
    assert own[0] / own[1] == pytest.approx(first / second, abs=1e-9)
