"""The reference profile and its bytes: counts on cells, time blocks, the natural movement of each column."""

from functools import cached_property

import msgspec
import numpy as np
import zstandard

from monitor.arrays import Int64s, UInt32s
from monitor.errors import SpecError
from monitor.reference.layout import CellsLayout
from monitor.types import UTC, Calibration, Season

PROFILE_FORMAT = 1

FIELDS_ADDED = ("timezone", "truth_blocks", "truth_ages")
"""Fields of `ReferenceProfile` that came later: written only where they say something, so that a profile built before
keeps its bytes, and with them its identity."""


# Defaults are left out of the bytes: a profile that was built before a field keeps its digest, and stays itself.
class ColumnMovement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Natural movement of one column at one window length (statistics §3.2).

    Attributes:
        kappa: Variance added to the sampling variance.
        nu: Degrees of freedom of the blocks' PSI.
        blocks: From how many time blocks; 0 where nothing was measured, or by a version that did not keep it.
        autocorrelation, sampling: As in `NaturalMovement`.
        share_blocks: How many independent blocks the variances of the missing, invalid and unseen share are worth.
        share_sampling: Sampling variance of these shares, of all events; 0 as `blocks` is.
    """

    kappa: float
    nu: float
    status: Calibration
    blocks: int = 0
    autocorrelation: float = 0.0
    sampling: float = 0.0
    share_blocks: tuple[float, float, float] = (0.0, 0.0, 0.0)
    share_sampling: float = 0.0


class ColumnReference(msgspec.Struct, frozen=True, kw_only=True):
    """What the decision needs of one column.

    Attributes:
        name: The column's name in the layout.
        bins: Group of each cell (values ``0 … B-1``, length = cells) for PSI: reference deciles, or categories with
            the rare ones merged.
        movement: Natural movement per window length in minutes, halves included.
        share_variance: Block variance of the missing, invalid and unseen share per window length in minutes.
        iqr: Interquartile range (numeric), 0 when unknown.
        seasonal: The column follows the profile's season: see `monitor.reference.season`.
        seasonal_movement: As *movement*, of windows compared with the same hours; empty without hour profiles.
    """

    name: str
    bins: tuple[int, ...]
    movement: dict[int, ColumnMovement] = msgspec.field(default_factory=dict)
    share_variance: dict[int, tuple[float, float, float]] = msgspec.field(default_factory=dict)
    iqr: float = 0.0
    seasonal: bool = False
    seasonal_movement: dict[int, ColumnMovement] = msgspec.field(default_factory=dict)


class TruthBlocks(msgspec.Struct, frozen=True, kw_only=True):
    """Labelled and correct predictions by block of time, *minutes* long; blocks without truths are left out.

    Attributes:
        starts_bytes: int64 little-endian epoch milliseconds.
        counts_bytes: uint32 little-endian labelled and correct ones, shape ``(blocks, 2)``.
    """

    minutes: int
    starts_bytes: bytes
    counts_bytes: bytes

    @property
    def starts(self) -> tuple[int, ...]:
        """Epoch milliseconds, strictly increasing."""
        return tuple(np.frombuffer(self.starts_bytes, dtype="<i8").tolist())

    @property
    def counts(self) -> Int64s:
        """Labelled and correct, shape ``(blocks, 2)``."""
        return np.frombuffer(self.counts_bytes, dtype="<u4").reshape(-1, 2).astype(np.int64)


def truth_blocks(counts: Int64s, *, starts: tuple[int, ...], minutes: int) -> TruthBlocks:
    """Return the blocks of *counts* (labelled, correct), shape ``(blocks, 2)``, that have any."""
    held = np.flatnonzero(counts[:, 0])
    return TruthBlocks(
        minutes=minutes,
        starts_bytes=np.array(starts, dtype="<i8")[held].tobytes(),
        counts_bytes=counts[held].astype("<u4").tobytes(),
    )


class ReferenceProfile(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Everything that is known of the reference sample.

    Attributes:
        rows: How many there are; of weighed rows, how many equal ones they are worth.
        weighed_rows: Rows of the table where they were weighed; 0 where each counts once.
        counts_bytes: int64 little-endian counts, shape ``(layout.size,)``.
        block_starts: Epoch milliseconds of the time blocks, ``block_minutes`` long; empty without time stamps.
        blocks_bytes: Empty; profiles built before hold the blocks' counts here. Nothing reads them, but without them
            such a profile would have another digest, and count as another reference.
        season: The cycle by whose hours *hours_bytes* are kept; None: no hour profiles.
        timezone: IANA name of the time zone of these hours.
        hours_bytes: uint32 counts of each hour of the season, shape ``(hours, layout.size)``.
        correct, labelled: Reference predictions that agree with their truth, of those that have one.
        truth_blocks: Both by block of time; None without truths or time stamps.
        truth_ages: `AgeBucket`, labelled and correct predictions; empty where it is not known when truths came.
        importance: Share of the model's importance by feature, for those of which the spec says nothing.
    """

    format: int = PROFILE_FORMAT
    layout: CellsLayout
    rows: int
    counts_bytes: bytes
    columns: tuple[ColumnReference, ...]
    block_minutes: int = 0
    block_starts: tuple[int, ...] = ()
    blocks_bytes: bytes = b""
    season: Season | None = None
    hours_bytes: bytes = b""
    start: int | None = None
    end: int | None = None
    correct: int = 0
    labelled: int = 0
    source: str = ""
    weighed_rows: int = 0
    importance: dict[str, float] = msgspec.field(default_factory=dict)
    timezone: str = UTC
    truth_blocks: TruthBlocks | None = None
    truth_ages: tuple[tuple[int, int, int], ...] = ()

    @cached_property
    def counts(self) -> Int64s:
        """Shape ``(layout.size,)``; read-only."""
        return np.frombuffer(self.counts_bytes, dtype="<i8")

    @cached_property
    def hours(self) -> UInt32s | None:
        """Shape ``(hours, layout.size)``, read-only; None without hour profiles."""
        if self.season is None:
            return None
        return np.frombuffer(self.hours_bytes, dtype="<u4").reshape(self.season.hours, -1)


_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(ReferenceProfile)}


def encode_profile(profile: ReferenceProfile) -> bytes:
    """Return the profile as compressed bytes; equal profiles give equal bytes."""
    fields = {
        name: value
        for name, value in msgspec.structs.asdict(profile).items()
        if name not in FIELDS_ADDED or value != _DEFAULTS[name]
    }
    return zstandard.ZstdCompressor(level=6).compress(msgspec.msgpack.encode(fields))


def empty_profile(layout: CellsLayout) -> ReferenceProfile:
    """Return a reference without rows on *layout*, for where the stored one cannot be read."""
    columns = tuple(ColumnReference(name=column.name, bins=tuple(range(column.cells))) for column in layout.columns)
    return ReferenceProfile(layout=layout, rows=0, counts_bytes=bytes(8 * layout.size), columns=columns)


def decode_profile(encoded: bytes, *, source: str) -> ReferenceProfile:
    """Return the profile that `encode_profile` wrote.

    Raises:
        SpecError: *encoded* (read from *source*) is not a profile of this format.
    """
    try:
        raw = zstandard.ZstdDecompressor().decompress(encoded, max_output_size=1 << 30)
        profile = msgspec.msgpack.decode(raw, type=ReferenceProfile)
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        problem = (
            "expected a reference profile made by `driftline init` or `driftline reference build`, found another kind "
            f"of file or a damaged one ({error})"
        )
        raise SpecError(source, (problem,)) from error
    if profile.format != PROFILE_FORMAT:
        raise SpecError(source, (f"format: expected {PROFILE_FORMAT}, found {profile.format}",))
    return profile
