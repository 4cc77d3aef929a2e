"""Answers are kept by what they depend on: found again while that is equal, made again when it is not."""

import json
from itertools import count
from pathlib import Path

import pytest

from benchmarks.detection import peer_run
from benchmarks.detection.kept_answers import KeptAnswers
from benchmarks.detection.peer_run import peer_answer
from benchmarks.detection.plan import SHORT, own_jobs, timing_job
from benchmarks.detection.recipe import Recipe, make_stream
from benchmarks.detection.run import own_digest
from benchmarks.detection.source_digest import ROOT, imported_files, source_digest
from benchmarks.detection.stream import HOUR, Stream


def test_an_answer_is_made_once_for_equal_dependencies(tmp_path: Path) -> None:
    """The second run reads it; another source, or parts that only join to the same text, make it again."""
    kept, numbers = KeptAnswers(tmp_path / "kept"), count(1)

    def answer(*depends_on: str) -> int:
        return kept.answer(*depends_on, make=lambda: next(numbers))

    parts = [("sources", "job"), ("sources", "job"), ("sources 2", "job"), ("source", "sjob")]
    assert [answer(*depends_on) for depends_on in parts] == [1, 1, 2, 3]


def test_a_run_that_was_stopped_keeps_nothing_of_what_it_was_at(tmp_path: Path) -> None:
    """The next run makes the answer, and finds no half of one."""
    kept = KeptAnswers(tmp_path)

    def stopped() -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept.answer("job", make=stopped)
    assert list(tmp_path.iterdir()) == []
    assert kept.answer("job", make=lambda: 7) == 7


def test_a_digest_follows_every_import_of_the_repository_and_nothing_else(tmp_path: Path) -> None:
    """
    start -> package.a (and package/__init__) -> package.b (inside a function)     aside: not imported
    """
    sources = {
        "start.py": "import json\nfrom package import a\n",
        "package/__init__.py": "",
        "package/a.py": "def run():\n    from .b import VALUE\n    return VALUE\n",
        "package/b.py": "VALUE = 1\n",
        "package/aside.py": "VALUE = 1\n",
        "lock.txt": "numpy==2.3\n",
    }

    def digest(**changes: str) -> str:
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, text in {
            **sources,
            **{key.replace("__", "/") + ".py": text for key, text in changes.items()},
        }.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return source_digest("start", also=("*.txt",), root=root)

    unchanged = digest()
    assert digest() == unchanged
    assert digest(package__aside="VALUE = 2\n") == unchanged
    assert digest(package__b="VALUE = 2\n") != unchanged
    assert digest(start="from package import a\n") != unchanged
    with pytest.raises(FileNotFoundError, match="no_such: expected a module under"):
        source_digest("no_such")
    with pytest.raises(FileNotFoundError, match=r"\*\.none: expected files under"):
        source_digest("benchmarks", also=("*.none",))


def test_our_answers_depend_on_the_rule_and_not_on_the_page() -> None:
    """What judges a stream is in the digest, what only lists streams or shows results is not."""
    names = {str(path.relative_to(ROOT)) for path in imported_files("benchmarks.detection.run")}
    assert {
        "monitor/detection/verdict.py",
        "monitor/store/schema/__init__.py",
        "alerting/incidents/transition.py",
        "consumers/flush.py",
        "benchmarks/detection/recipe.py",
    } <= names
    assert not {f"benchmarks/detection/{name}.py" for name in ("page", "catalogue", "plan", "targets", "real")} & names
    assert own_digest() != source_digest("benchmarks.detection.run")  # migrations and the lock count too


def test_jobs_name_all_that_makes_a_stream() -> None:
    """Two jobs of different recipes or seeds are different texts, by which their answers are named."""
    jobs = [*own_jobs(SHORT, range(1, 1000)), timing_job(range(1, 1000)), timing_job(range(1, 999))]
    assert len({repr(job) for job in jobs}) == len(jobs)


def test_the_peers_are_asked_again_only_when_what_they_read_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same stream is judged once, whatever judged it for us; another seed or length is judged for itself."""
    asked: list[Path] = []

    def flag_every_window(directory: Path) -> None:
        asked.append(directory)
        windows = json.loads((directory / "stream" / "windows.json").read_text())["windows"]
        judged = [{"peer": "someone", "alarms": [["c00"] for _ in windows], "cpu_seconds": 1.0}]
        (directory / "stream" / "alarms.json").write_text(json.dumps({"judged": judged, "report_cpu_seconds": []}))

    monkeypatch.setattr(peer_run, "run_peers", flag_every_window)
    kept = KeptAnswers(tmp_path)
    recipe = Recipe(name="a", columns=1, reference_days=0.25, current_days=0.25)

    def stream(seed: int) -> Stream:
        return make_stream(recipe, reference_seed=1, current_seed=seed)

    first = peer_answer(stream(1), length=HOUR, kept=kept)
    assert [alarm.columns for alarm in first.judged[0].alarms] == [("c00",)] * 6
    assert peer_answer(stream(1), length=HOUR, kept=kept) == first
    assert len(asked) == 1
    assert not asked[0].exists()
    peer_answer(stream(2), length=HOUR, kept=kept)
    peer_answer(stream(1), length=2 * HOUR, kept=kept)
    assert len(asked) == 3
