"""The story's time line: four acts in event time, and what goes wrong in each."""

from dataclasses import dataclass

from monitor.units import DAY_MILLIS, HOUR_MILLIS

MODEL = "credit-scoring"
STABLE, CANARY = "3.2.0", "3.3.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act, ``[start, end)`` in epoch milliseconds of event time."""

    number: int
    title: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLine:
    """When everything happens.

    ```text
      reference     1: healthy          2: income falls           3: field breaks         4: canary
    |-- 14 days --|-- 14 days --------|-- ramp  hold  fade --|--- 34 h -xx- 42 h ---|-- 3.3.0 at 30 % --|
    ```

    The calm after the fade and after the break lets the incidents close: a rollback needs a target without one.
    """

    start: int
    reference_start: int
    acts: tuple[Act, ...]
    ramp_start: int
    ramp_end: int
    fade_start: int
    fade_end: int
    break_start: int
    break_end: int
    canary_start: int
    end: int

    def act_at(self, moment: int) -> Act:
        """Return the act in which *moment* lies; the last one after the end."""
        return next((act for act in self.acts if moment < act.end), self.acts[-1])


def time_line(start: int) -> TimeLine:
    """Return the time line that begins at *start* (epoch ms, midnight UTC)."""
    lengths = (
        (1, "healthy weeks", 14.0),
        (2, "incomes fall", 4.0),
        (3, "a field breaks", 3.5),
        (4, "a bad canary", 2.5),
    )
    acts: list[Act] = []
    at = start
    for number, title, days in lengths:
        acts.append(Act(number=number, title=title, start=at, end=at + int(days * DAY_MILLIS)))
        at = acts[-1].end
    shift, broken, canary = acts[1].start, acts[2].start, acts[3].start
    return TimeLine(
        start=start,
        reference_start=start - 14 * DAY_MILLIS,
        acts=tuple(acts),
        ramp_start=shift,
        ramp_end=shift + 2 * DAY_MILLIS,
        fade_start=shift + 3 * DAY_MILLIS,
        fade_end=acts[1].end,
        break_start=broken + 34 * HOUR_MILLIS,
        break_end=broken + 42 * HOUR_MILLIS,
        canary_start=canary,
        end=at,
    )
