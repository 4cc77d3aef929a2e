"""`driftline reference learn` on a real broker."""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

from alerting.actions.reasons import Refusal, refusal_words
from driftline.cli.app import app
from driftline.cli.exit_codes import WrongUseError
from driftline.cli.reference.build import build
from driftline.cli.reference.learn import learn
from monitor.clock import iso_utc
from monitor.errors import SpecError, UnavailableError
from monitor.reference.layout import Slot
from monitor.reference.profile import ReferenceProfile, decode_profile
from monitor.spec.file import read_spec
from monitor.spec.model import ColumnKind, Task
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

START = 1_780_272_000_000
EVERY = 10_000
ROWS = 3000
SPEC = """
model: credit
task: binary_classification
reference: credit.reference
columns:
  amount: {kind: numeric}
  country: {kind: categorical}
prediction: {score: true}
windows: {scales: [{length: 10m, step: 1m}, {length: 1h, step: 5m}]}
"""

Events = list[dict[str, Any]]
Produce = Callable[[Iterable[dict[str, Any] | bytes]], None]


def events(count: int = ROWS, *, first: int = 0, version: str = "1", model: str = "credit") -> Events:
    """Events *first* … of which every value follows from its number."""
    results: Events = []
    for number in range(first, first + count):
        random = np.random.default_rng(number)
        results.append(
            {
                "prediction_id": f"p-{number}",
                "model": model,
                "version": version,
                "timestamp": iso_utc(START + number * EVERY),
                "features": {
                    "amount": None if number % 50 == 0 else float(random.normal(50, 10)),
                    "country": str(random.choice(["DE", "FR", "IT"])),
                },
                "prediction": {"score": float(random.uniform())},
            }
        )
    return results


def table_of(events: Events) -> pa.Table:
    return pa.table(
        {
            "amount": pa.array([event["features"]["amount"] for event in events], pa.float64()),
            "country": [event["features"]["country"] for event in events],
            "score": [event["prediction"]["score"] for event in events],
            "at": pa.array([event["timestamp"] for event in events]),
        }
    )


@pytest.fixture
def directory(
    tmp_path: Path, kafka_broker: KafkaBroker, topic_names: TopicNames, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The settings point at the test's topics; no database is configured that answers."""
    monkeypatch.setenv("DRIFTLINE_KAFKA_BOOTSTRAP", kafka_broker.bootstrap)
    monkeypatch.setenv("DRIFTLINE_PREDICTIONS_TOPICS", json.dumps([topic_names.predictions]))
    monkeypatch.setenv("DRIFTLINE_KAFKA_GROUP", f"never-{topic_names.predictions}")
    monkeypatch.setenv("DRIFTLINE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.delenv("DRIFTLINE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "credit.yaml").write_text(SPEC)
    return tmp_path


@pytest.fixture
def produce(kafka_broker: KafkaBroker, topic_names: TopicNames) -> Produce:
    """Send events by key over four partitions, Kafka's time an hour after the event's; bytes as they are."""

    def _produce(values: Iterable[dict[str, Any] | bytes]) -> None:
        producer = Producer({"bootstrap.servers": kafka_broker.bootstrap})
        for value in values:
            if isinstance(value, bytes):
                producer.produce(topic_names.predictions, value, timestamp=START + 10**9)
                continue
            number = int(value["prediction_id"].partition("-")[2])
            producer.produce(
                topic_names.predictions,
                json.dumps(value).encode(),
                value["prediction_id"].encode(),
                timestamp=value.pop("kafka_time", START + number * EVERY + 3_600_000),
            )
            producer.poll(0)
        assert producer.flush(30) == 0

    return _produce


def learnt(directory: Path, **options: Any) -> ReferenceProfile:
    learn(spec=directory / "credit.yaml", force=True, **{"rows": 100_000, **options})
    return decode_profile((directory / "credit.reference").read_bytes(), source="test")


def built(directory: Path, events: Events) -> ReferenceProfile:
    """The profile that `build` makes of the same events in a file."""
    pyarrow.parquet.write_table(table_of(events), directory / "t.parquet")
    build(
        spec=directory / "credit.yaml",
        table=directory / "t.parquet",
        timestamp="at",
        output=directory / "b.reference",
        force=True,
    )
    return decode_profile((directory / "b.reference").read_bytes(), source="test")


def same(one: ReferenceProfile, other: ReferenceProfile) -> bool:
    """Return whether two profiles are equal but for the names of their sources."""
    names = [name for name in one.__struct_fields__ if name != "source"]
    return [getattr(one, name) for name in names] == [getattr(other, name) for name in names]


def test_a_topic_gives_what_a_file_of_its_events_gives(directory: Path, produce: Produce) -> None:
    """Cells, counts, time blocks and movement are those of the same events in a file, missing values included."""
    produce(events())
    profile = learnt(directory)
    assert same(profile, built(directory, events()))
    span = profile.layout.spans[0]
    assert profile.counts[span.slots + Slot.MISSING] == ROWS // 50


def test_one_versions_events_are_counted_on_given_cells(
    directory: Path, produce: Produce, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of a shadow stage, on the cells of the model's profile: ready to be adopted for that version."""
    of_model = built(directory, events())
    shadow = events(first=ROWS, version="2")
    produce([*events(), *shadow])
    profile = learnt(directory, version="2", cells_of=str(directory / "b.reference"))
    assert profile.layout == of_model.layout
    assert profile.rows == len(shadow)
    assert "--version VERSION`" in capsys.readouterr().out
    with pytest.raises(WrongUseError, match="expected --spec as well"):
        learn("new", rows=100_000, cells_of="credit")


def test_what_does_not_belong_is_left_out(
    directory: Path, produce: Produce, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other models, versions and times, repeats, records that are no events, the future: none of them counts."""
    wanted = events()
    future = {**events(1, first=ROWS + 5)[0], "timestamp": iso_utc(START + 1000 * EVERY), "kafka_time": START}
    produce(
        [
            *events(200, model="other"),
            *events(300, first=10_000, version="2"),
            *wanted,
            *events(400),  # once more
            b"{",
            json.dumps({"model": "credit"}).encode(),
            future,
        ]
    )
    capsys.readouterr()
    profile = learnt(directory, version="1", start=iso_utc(START), end=iso_utc(START + ROWS * EVERY))
    printed = capsys.readouterr().out
    assert same(profile, built(directory, wanted))
    assert "400 events repeat an identity and were left out" in printed
    assert "3 records are no prediction events" in printed


def test_a_stretch_of_event_time_is_cut_exactly(directory: Path, produce: Produce) -> None:
    """[start, end) of event time, whatever Kafka's timestamps are; `--last` counts back from the newest event."""
    produce(events())
    start, end = START + 500 * EVERY, START + 2500 * EVERY
    assert same(learnt(directory, start=iso_utc(start), end=iso_utc(end)), built(directory, events()[500:2500]))
    # The newest event is number 2,999; an hour before it lies number 2,639.
    assert same(learnt(directory, last="1h"), built(directory, events()[2639:]))


def test_more_than_enough_is_sampled_and_the_same_each_time(
    directory: Path, produce: Produce, capsys: pytest.CaptureFixture[str]
) -> None:
    """1,000 of 3,000 events: over the whole time, in equal parts of each hour within chance, twice the same."""
    produce(events())
    capsys.readouterr()
    first, again = (learnt(directory, rows=1000) for _ in range(2))
    assert first == again
    assert first.rows == 1000
    assert "a sample of 1,000 of 3,000 events" in capsys.readouterr().out
    assert first.start is not None
    assert first.end is not None
    assert first.start < START + 50 * EVERY
    assert first.end > START + (ROWS - 50) * EVERY


def test_the_command_that_a_standing_incident_names_works(directory: Path, produce: Produce) -> None:
    """The spec's own reference is there and stays; the new one counts the spec's columns, so that it can be adopted."""
    learnt_by, _ = re.findall("`driftline ([^`]+)`", refusal_words(Refusal.ADOPT_REFERENCE))
    produce(events())
    (directory / "credit.reference").write_bytes(b"in force")
    arguments = learnt_by.replace("SPEC", "credit.yaml").replace("NEW", "new.reference").split()
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert (directory / "credit.reference").read_bytes() == b"in force"
    profile = decode_profile((directory / "new.reference").read_bytes(), source="test")
    assert profile.layout == learnt(directory).layout
    assert profile.rows == ROWS


def test_without_a_spec_one_is_proposed(directory: Path, produce: Produce) -> None:
    """Kinds, prediction and task from the events themselves; it is a spec that the profile agrees with."""
    result = events()
    for number, event in enumerate(result):
        event["features"] |= {"member": number % 3 == 0, "id": number, "code": number % 7}
        event["prediction"]["label"] = "yes" if number % 2 else "no"
    produce(result)
    learn("credit", rows=100_000, ignore=["id"], categorical=["code"], output=directory / "new.yaml")
    spec = read_spec(directory / "new.yaml")
    assert {name: column.kind for name, column in spec.columns.items()} == {
        "amount": ColumnKind.NUMERIC,
        "country": ColumnKind.CATEGORICAL,
        "member": ColumnKind.CATEGORICAL,
        "code": ColumnKind.CATEGORICAL,
    }
    assert (spec.task, spec.truth.positive) == (Task.BINARY, "yes")
    assert (spec.prediction.score, spec.prediction.label) == (True, True)
    learn(spec=directory / "new.yaml", rows=100_000, output=directory / "again.reference")
    again = decode_profile((directory / "again.reference").read_bytes(), source="test")
    assert same(again, decode_profile((directory / "new.reference").read_bytes(), source="test"))


def test_ingest_is_not_disturbed(directory: Path, produce: Produce, kafka_broker: KafkaBroker) -> None:
    """No group is joined and nothing is committed under the group of the settings."""
    produce(events(500))
    learnt(directory)
    groups = AdminClient({"bootstrap.servers": kafka_broker.bootstrap}).list_consumer_groups().result(20)
    assert [group.group_id for group in groups.valid if group.group_id.startswith("never-")] == []


def test_nothing_found_says_what_there_is(directory: Path, produce: Produce) -> None:
    """Other models, versions and times are named with their numbers."""
    produce([*events(20, model="fraud"), *events(30, version="7"), b"nothing"])
    with pytest.raises(SpecError) as caught:
        learnt(directory, version="8")
    assert "found none among 51 records" in str(caught.value)
    assert "--version 8: expected one of 7 (30)" in str(caught.value)
    assert "other models are there: fraud (20)" in str(caught.value)
    assert "1 records are no prediction events, the first:" in str(caught.value)
    with pytest.raises(SpecError, match="30 events of the model lie at other times, the newest 2026-06-01 00:04:50"):
        learnt(directory, end="2026-06-01T00:00:00Z")
    with pytest.raises(SpecError, match="the newest event of all in the topics is of 2026-06-01 00:04:50"):
        learnt(directory, start="2026-07-01T00:00:00Z")


def test_an_empty_topic_says_so_without_a_spec_too(directory: Path) -> None:
    """Nothing to guess from is no other error."""
    with pytest.raises(SpecError, match="found none among 0 records"):
        learn("credit", rows=10, output=directory / "new.yaml")


def test_too_few_are_refused_as_from_a_file(directory: Path, produce: Produce) -> None:
    """The same limit and the same answer."""
    produce(events(150))
    with pytest.raises(SpecError, match=r"expected at least 200 rows \(windows.min_events\), found 150 rows"):
        learnt(directory)


def test_a_topic_that_is_not_there_is_named(directory: Path) -> None:
    """Exit code 3, with the option that helps."""
    with pytest.raises(UnavailableError, match="has no topic nowhere"):
        learnt(directory, topic=["nowhere"])
