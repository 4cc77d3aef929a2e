"""Health: an outage is two log lines, its words end with it, and a stuck loop shows without saying so itself."""

from structlog.testing import capture_logs

from consumers.kafka.silence import seconds_of_silence
from monitor.health import Health


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def health_at(clock: Clock) -> Health:
    health = Health(seconds=clock)
    health.report(True, "")
    return health


def test_a_role_starts_until_a_loop_gets_on() -> None:
    """Nothing was tried yet: neither well nor away."""
    health = Health(seconds=Clock())
    assert health.reason == "starting"
    health.progress("poll", within_seconds=15)
    assert health.reason is None


def test_an_outage_is_one_line_when_it_begins_and_one_when_it_ends() -> None:
    """400 failures between are counted; the newest words are the reason, and none of them are left afterwards."""
    clock = Clock()
    health = health_at(clock)
    with capture_logs() as lines:
        for number in range(400):
            health.away("postgres", f"cause {number}")
        assert health.reason == "cause 399"
        clock.now += 12.34
        health.back("postgres")
        health.back("postgres")
    assert lines == [
        {"event": "service.lost", "service": "postgres", "reason": "cause 0", "log_level": "warning"},
        {"event": "service.restored", "service": "postgres", "seconds": 12.3, "failures": 400, "log_level": "info"},
    ]
    assert health.reason is None


def test_an_outage_ends_when_every_loop_that_saw_it_is_past_it() -> None:
    """One loop's success does not end what the other one still sees."""
    health = health_at(Clock())
    health.away("postgres", "read-only", seen_by="turns")
    health.away("postgres", "read-only", seen_by="deliveries")
    health.back("postgres", seen_by="turns")
    assert health.reason == "read-only"
    health.back("postgres", seen_by="deliveries")
    assert health.reason is None


def test_what_a_role_does_without_is_a_notice() -> None:
    """It is shown and logged, and the role stays healthy; its own notices are shown too."""
    health = health_at(Clock())
    health.note(["topic p is CreateTime"])
    health.away("kafka", "no answer", degrades=False)
    assert (health.reason, health.notices) == (None, ("no answer", "topic p is CreateTime"))
    health.back("kafka")
    assert health.notices == ("topic p is CreateTime",)


def test_a_loop_that_hangs_shows_although_it_says_nothing() -> None:
    """::

    poll ----- 10 s: fine ----- 16 s: no poll for 16 s ----- poll: fine
    """
    clock = Clock()
    health = health_at(clock)
    health.progress("poll", within_seconds=15)
    clock.now += 10
    assert health.reason is None
    clock.now += 6
    assert health.reason == "no poll for 16 s, expected one within 15 s"
    assert health.ages == {"poll": 16.0}
    health.progress("poll", within_seconds=15, seconds_ago=2)
    assert (health.reason, health.ages) == (None, {"poll": 2.0})


def test_reasons_of_all_kinds_stand_side_by_side() -> None:
    """What the role says, what is away, and what hangs."""
    clock = Clock()
    health = health_at(clock)
    health.report(False, "p[0]: stopped")
    health.away("postgres", "disk full")
    health.progress("flush", within_seconds=15)
    clock.now += 20
    assert health.reason == "p[0]: stopped; disk full; no flush for 20 s, expected one within 15 s"


def test_a_broker_that_is_not_connected_is_silent() -> None:
    """Of the connected brokers the one that answered last counts; bootstrap entries and lost connections do not."""
    up = '{"state":"UP","rxidle":250000}'
    older = '{"state":"UP","rxidle":9000000}'
    down = '{"state":"TRY_CONNECT","rxidle":1000}'
    fresh = '{"state":"UP","rxidle":-1}'
    assert seconds_of_silence(f'{{"name":"c","brokers":{{"a":{older},"b":{up},"c":{down}}}}}') == 0.25
    assert seconds_of_silence(f'{{"brokers":{{"a":{down},"b":{fresh}}}}}') is None
    assert seconds_of_silence("{}") is None
