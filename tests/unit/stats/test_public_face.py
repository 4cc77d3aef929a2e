"""`driftline.stats`: every name keeps the contract of its docstring, its examples run and are the peers' numbers."""

import doctest
import inspect
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest
from scipy.optimize import approx_fprime, brentq
from scipy.spatial.distance import cityblock, jensenshannon
from scipy.stats import (
    binomtest,
    chi2_contingency,
    entropy,
    false_discovery_control,
    ks_2samp,
    kstwobign,
    ncx2,
    norm,
    wasserstein_distance,
)

from driftline import stats

SCALARS = (int, float, float | None)
SECTIONS = ("Args", "Returns", "Raises", "References", "Examples")
REFERENCE, CURRENT = np.array([50, 30, 20]), np.array([20, 30, 50])
P, Q = REFERENCE / REFERENCE.sum(), CURRENT / CURRENT.sum()

every_name = pytest.mark.parametrize("name", stats.__all__)


def docstring(name: str) -> str:
    return inspect.getdoc(getattr(stats, name)) or ""


def section(text: str, title: str) -> str:
    """Return the indented lines under *title*, empty where there is no such section."""
    result = re.search(rf"^{title}:\n((?:    .*\n?|\n)+)", text, re.MULTILINE)
    return result.group(1) if result else ""


def arguments(text: str) -> dict[str, str]:
    """Return what the docstring's Args say about each argument; ``low, high:`` are two."""
    entries = re.split(r"^    (?=\w[\w, ]*: )", section(text, "Args"), flags=re.MULTILINE)[1:]
    pairs = [entry.split(": ", 1) for entry in entries]
    return {name: said for names, said in pairs for name in names.split(", ")}


def examples(name: str) -> list[doctest.DocTest]:
    return doctest.DocTestFinder(recurse=False).find(getattr(stats, name), name, globs={})


def shown(name: str) -> list[str]:
    """Return every number that the docstring's examples show as a result."""
    results = "".join(example.want for test in examples(name) for example in test.examples)
    return re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", results)


@every_name
def test_the_docstring_is_a_contract(name: str) -> None:
    """It opens with one line of purpose, has a formula and every section that says something."""
    text = docstring(name)
    purpose = text.splitlines()[0]
    assert purpose.startswith("Return ")
    assert purpose.endswith(".")
    assert ":math:" in text or ".. math::" in text
    for title in SECTIONS:
        assert section(text, title).strip(), f"{name}: the docstring has no section {title}"


@every_name
def test_every_argument_is_described_and_every_array_has_a_shape(name: str) -> None:
    """Args name exactly the parameters, in their order; what is no scalar says its shape."""
    parameters = inspect.signature(getattr(stats, name)).parameters
    described = arguments(docstring(name))
    assert list(described) == list(parameters)
    for parameter in parameters.values():
        if parameter.annotation not in SCALARS:
            assert "Shape ``(" in described[parameter.name], f"{name}: {parameter.name}"


@every_name
def test_the_examples_run(name: str) -> None:
    """Each docstring has examples that call the function through the public face and print what they show."""
    (test,) = examples(name)
    assert any(f"stats.{name}(" in example.source for example in test.examples)
    report = io.StringIO()
    result = doctest.DocTestRunner(verbose=False).run(test, out=report.write)
    assert result.failed == 0, report.getvalue()


def test_an_example_that_is_wrong_fails() -> None:
    """The runner used above fails for a result that the function does not give."""
    wrong = doctest.DocTestParser().get_doctest(">>> 2 + 2\n5\n", {}, "wrong", None, None)
    assert doctest.DocTestRunner(verbose=False).run(wrong, out=lambda _: None).failed == 1


def root_bound() -> float:
    """Return the bound by the variance of a bin of 5 % that empties, its gradient by finite differences."""
    p, q = np.array([1000.5, 19_000.5]) / 20_001, np.array([0.5, 1000.5]) / 1001

    def index(shares: np.ndarray) -> float:
        return float(((shares[2:] - shares[:2]) * np.log(shares[2:] / shares[:2])).sum())

    slopes = approx_fprime(np.concatenate([p, q]), index, 1e-9)
    variances = [float(share @ slope**2 - (share @ slope) ** 2) for share, slope in ((p, slopes[:2]), (q, slopes[2:]))]
    sampling = 1 / 1000 + 1 / 20_000
    excess = index(np.concatenate([p, q])) - sampling
    z = float(norm.isf(0.001)) * (1.0 + 0.5 * np.sqrt(sampling))
    root = np.sqrt(excess) - z * np.sqrt(variances[1] / 1000 + variances[0] / 20_000) / (2.0 * np.sqrt(excess))
    return float(root**2)


# (name, what an independent computation gives for the inputs of its examples, in the order shown)
PEERS: list[tuple[str, Callable[[], list[float]]]] = [
    (
        "population_stability_index",
        lambda: [entropy([500.5, 500.5], [750.5, 250.5]) + entropy([750.5, 250.5], [500.5, 500.5])],
    ),
    (
        "proven_lower_bound",
        lambda: [
            brentq(
                lambda true: ncx2.sf(0.25 / (1 / 1000 + 1 / 20_000), 9, true / (1 / 1000 + 1 / 20_000)) - 0.001, 1e-6, 1
            ),
            0.0,
        ],
    ),
    ("proven_stability_index", lambda: [root_bound(), 0.1445]),  # 0.1445: as of proven_lower_bound, tested there
    ("kolmogorov_smirnov", lambda: [ks_2samp(range(1, 101), range(6, 106)).statistic, 0.0]),
    ("two_sample_ks_p_value", lambda: [kstwobign.sf(0.1 * np.sqrt(500 * 1000 / 1500))]),
    (
        "wasserstein_distance",
        lambda: [wasserstein_distance(np.clip(np.arange(1, 101), 2, 99), np.clip(np.arange(6, 106), 2, 99)) / 50],
    ),
    ("jensen_shannon_distance", lambda: [jensenshannon(P, Q), np.sqrt(np.log(2.0))]),
    ("hellinger_distance", lambda: [np.linalg.norm(np.sqrt(P) - np.sqrt(Q)) / np.sqrt(2.0), 1.0]),
    ("total_variation_distance", lambda: [cityblock(P, Q) / 2]),
    (
        "chi_squared_test",
        lambda: [getattr(chi2_contingency([REFERENCE, CURRENT]), field) for field in ("statistic", "dof", "pvalue")],
    ),
    ("wilson_interval", lambda: list(binomtest(0, 20).proportion_ci(method="wilson"))),
    ("newcombe_difference", lambda: [0.0524, 0.3339]),  # Newcombe (1998), table II, method 10, 56/70 − 48/80
]


@pytest.mark.parametrize(("name", "peer"), PEERS, ids=[name for name, _ in PEERS])
def test_the_examples_show_the_peers_numbers(name: str, peer: Callable[[], list[float]]) -> None:
    """What the docstring prints is what scipy, or the paper, gives, to half a unit of the last digit printed."""
    for number, expected in zip(shown(name), peer(), strict=True):
        # Rounded to four digits at least; trailing zeros are not printed.
        half_unit = min(0.5 * 10.0 ** int(Decimal(number).as_tuple().exponent), 5e-5)
        assert float(number) == pytest.approx(expected, rel=0.0, abs=half_unit + 1e-15)


def test_the_example_of_the_listed_columns_is_scipys() -> None:
    """Benjamini–Hochberg rejects what scipy's adjusted p-values leave under q, NaN aside."""
    measured = np.array([0.001, 0.8, 0.012, 0.04])
    rejected = (false_discovery_control(measured) <= 0.05).tolist()
    assert rejected == [True, False, True, False]
    assert str([*rejected[:3], False, rejected[3]]) in docstring("benjamini_hochberg")


def test_every_public_statistic_has_a_peer() -> None:
    """Nothing is exported whose printed numbers nobody else confirms; counting has tests of its own."""
    counting = {"decile_counts", "category_counts", "value_counts"}
    assert {name for name, _ in PEERS} | counting | {"benjamini_hochberg"} == set(stats.__all__)


def test_importing_loads_nothing_but_the_statistics() -> None:
    """No Kafka, no SQL, no pydantic, no thread: on top of numpy and scipy.special only our pure modules."""
    code = (
        "import json, sys, threading, numpy, scipy.special\n"
        "before = set(sys.modules)\n"
        "import driftline.stats\n"
        "new = sorted(set(sys.modules) - before)\n"
        "print(json.dumps([new, threading.active_count()]))\n"
    )
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    loaded, threads = json.loads(output)
    ours = {name for name in loaded if name.split(".")[0] in ("driftline", "monitor", "consumers", "alerting")}
    foreign = {name.split(".")[0] for name in set(loaded) - ours}
    assert foreign <= set(sys.stdlib_module_names)
    assert "driftline.stats" in ours
    assert {name for name in ours if not name.startswith("monitor.stats")} <= {
        "driftline", "driftline.stats", "monitor", "monitor.arrays", "monitor.errors",
        "monitor.humanize", "monitor.types", "monitor.units",
    }  # fmt: skip
    assert threads == 1
