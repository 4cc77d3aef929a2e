"""Whose batch is next among models that are behind, and how alerters share the models."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from alerting.due_models import ModelsBehind
from alerting.model_sharing import alerter_of


def test_the_one_least_behind_comes_first_and_each_has_one_batch_a_round() -> None:
    """::

    judged until   1: 10   2: 90   3: 50     round: 2, 3, 1; model 2 is done in the next one
    """
    behind = ModelsBehind()
    for model_id, judged_until in ((1, 10), (2, 90), (3, 50)):
        behind.add(model_id, judged_until)
    assert behind.oldest == 10
    assert [behind.next() for _ in range(3)] == [2, 3, 1]
    behind.remove(2)
    behind.add(1, 60)
    assert [behind.next() for _ in range(3)] == [1, 3, 1]


def test_nobody_behind() -> None:
    behind = ModelsBehind()
    assert (behind.next(), behind.oldest, bool(behind)) == (None, None, False)
    behind.add(1, None)
    assert (behind.next(), 1 in behind) == (1, True)
    behind.keep(frozenset({2}))
    assert not behind


@given(st.dictionaries(st.integers(1, 50), st.integers(0, 1000), min_size=1), st.integers(1, 5))
def test_in_each_round_every_model_has_exactly_one_batch(judged: dict[int, int], rounds: int) -> None:
    """However far behind it is, and whatever comes of the others' batches."""
    behind = ModelsBehind()
    for model_id, judged_until in judged.items():
        behind.add(model_id, judged_until)
    for _ in range(rounds):
        served = [behind.next() for _ in judged]
        assert sorted(model_id for model_id in served if model_id is not None) == sorted(judged)
        for model_id in judged:
            behind.add(model_id, judged[model_id] + 100 * (model_id % 3))


def test_alerters_share_evenly_and_few_models_move() -> None:
    """Of 3,000 models each of three has about a third; when one goes, only its own move."""
    models = range(3000)
    of_three = {model_id: alerter_of(model_id, ("a", "b", "c")) for model_id in models}
    assert all(850 < count < 1150 for count in Counter(of_three.values()).values())
    of_two = {model_id: alerter_of(model_id, ("a", "b")) for model_id in models}
    assert {of_three[model_id] for model_id in models if of_three[model_id] != of_two[model_id]} == {"c"}
