"""The story's time line: four acts in event time, and what goes wrong in each."""

from dataclasses import dataclass

from monitor.units import DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS

MODEL = "credit-scoring"
STABLE, RECALIBRATED, BAD = "3.2.0", "3.3.0", "3.4.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act, ``[start, end)`` in epoch milliseconds of event time; *plot* is what happens, in one sentence."""

    number: int
    title: str
    plot: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLine:
    """When everything happens.

    ```text
      reference     1: healthy        2: income falls         3: field breaks         4: two canaries
    |-- 14 days --|-- 12 days ------|-- ramp  hold  fade --|--- 34 h -xx- 30 h ---|-- 3.3.0 ---- 3.4.0 --|
    ```

    The calm after the fade and after the break lets the incidents close: a rollback needs a target without one.

    Attributes:
        held: When the recalibrated canary's score has differed for two windows of the longest scale.
        labels_in: When the truths of the recalibrated canary's first day are known, while it still serves.
        bad_held: As *held*, of the bad canary: its first truths are hardly known.
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
    recalibrated_start: int
    held: int
    labels_in: int
    recalibrated_end: int
    bad_start: int
    bad_held: int
    end: int

    def act_at(self, moment: int) -> Act:
        """Return the act in which *moment* lies; the last one after the end."""
        return next((act for act in self.acts if moment < act.end), self.acts[-1])


def time_line(start: int) -> TimeLine:
    """Return the time line that begins at *start* (epoch ms, midnight UTC)."""
    script = (
        (12, "healthy weeks", "Nothing is wrong, so nothing should be raised."),
        (4, "incomes fall", "Applicants' incomes fall by 40 % within two days, stay low for a day and come back."),
        (3, "a field breaks", "For eight hours the income is missing or a text: that is broken data, not drift."),
        (
            5,
            "two canaries",
            f"{RECALIBRATED} is only recalibrated: it decides like {STABLE}, with scores further away from 0.5. "
            f"After it comes {BAD}, which is badly trained.",
        ),
    )
    acts: list[Act] = []
    at = start
    for number, (days, title, plot) in enumerate(script, start=1):
        acts.append(Act(number=number, title=title, plot=plot, start=at, end=at + days * DAY_MILLIS))
        at = acts[-1].end
    shift, broken, canaries = acts[1].start, acts[2].start, acts[3].start
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
        recalibrated_start=canaries,
        held=canaries + 24 * HOUR_MILLIS + 5 * MINUTE_MILLIS,
        labels_in=canaries + 48 * HOUR_MILLIS,
        recalibrated_end=canaries + 54 * HOUR_MILLIS,
        bad_start=canaries + 3 * DAY_MILLIS,
        bad_held=canaries + 96 * HOUR_MILLIS + 5 * MINUTE_MILLIS,
        end=at,
    )
