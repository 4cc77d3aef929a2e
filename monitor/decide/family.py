"""The family of tests that one error probability is shared by."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.spec import ModelSpec

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyOfTests:
    """Everything that is tested of one model at one evaluation time; versions are not counted.

    Attributes:
        tests: Of one series at one scale.
        scales: Of the spec.
        segments: Series of one version: the whole, and each value of each tag with `other`.
    """

    tests: int
    scales: int
    segments: int

    @property
    def size(self) -> int:
        """How many tests share the error probability, at least 1."""
        return max(self.tests, 1) * self.scales * self.segments


def family_of(spec: ModelSpec, *, monitored: Mask, numeric: Mask, constant: Mask) -> FamilyOfTests:
    """Return the family of *spec*; the masks have shape ``(columns,)``, as in `Prepared`."""
    # Of each column PSI, missing and invalid; of numeric ones D and far; of all that can be unseen, unseen.
    return FamilyOfTests(
        tests=int((monitored * (3 + 2 * numeric + (~numeric | constant))).sum()),
        scales=len(spec.scales),
        segments=1 + sum(len(each.values) + 1 for each in spec.segments),
    )
