"""Chunks of one model's predictions, put together again."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from consumers.decode.decoded import Predictions


def later(found: Predictions, start: int) -> Predictions:
    """Return *found* with its rows *start* records further on."""
    return replace(found, rows=found.rows + start)


def joined(parts: Sequence[Predictions]) -> Predictions:
    """Return *parts* (one model, in order of their rows) as one."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    extra = None
    if any(each.extra is not None for each in parts):
        zeros = [np.zeros(len(each.rows), dtype=np.int64) for each in parts]
        extra = np.concatenate(
            [each.extra if each.extra is not None else none for each, none in zip(parts, zeros, strict=True)]
        )
    return Predictions(
        model=first.model,
        rows=np.concatenate([each.rows for each in parts]),
        ids=_line([each.ids for each in parts]),
        versions=_line([each.versions for each in parts]),
        times=np.concatenate([each.times for each in parts]),
        names=first.names,
        columns=tuple(_line([each.columns[i] for each in parts]) for i in range(len(first.columns))),
        tags=tuple(_line([each.tags[i] for each in parts]) for i in range(len(first.tags))),
        scores=np.concatenate([each.scores for each in parts]),
        labels=_line([each.labels for each in parts]),
        values=np.concatenate([each.values for each in parts]),
        extra=extra,
    )


def _line(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    whole: list[Any] = []
    for each in parts:
        whole.extend(each)
    return whole
