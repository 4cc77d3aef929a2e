"""Rules of notification over random windows, failing receivers, pauses and changes of the spec, on a real Postgres.

::

    version 1   w c ? . w a . .        turns of the alerter, late or several windows at once
    version 2     a . . c w .          a broken field holds back what drift has to say
    team        ok 500 ok …            answers of the receivers, each attempt another
    pager       500 ok 503 …           from critical on, or from what the spec says by then
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from alerting.advance_model import advance_model
from alerting.delivery.deliver import DeliverySettings, deliver_to_endpoint, endpoints_with_work, expire_overdue_effects
from alerting.incidents.state import IncidentState, decode_state
from alerting.notifications.message import UNDELIVERED
from alerting.receivers.webhook import WebhookSettings
from monitor.settings import Settings
from monitor.store import schema
from monitor.store.configuration import AppliedModel
from monitor.types import DeliveryState, EffectKind, IncidentKind, NoticeEvent, Tier
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS
from tests.fakes.receiver import Answer, Receiver, receiver
from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.integration.test_delivery import SECRET, SECRET_TEXT
from tests.models.alerted import SECRET_ENV, apply_story, body_of, webhook

T0 = 2_000_000_000_000 // HOUR_MILLIS * HOUR_MILLIS
STEP = 5 * MINUTE_MILLIS
NAMES = ("team", "pager")
TIERS = ("warning", "alert", "critical")
CALM_AT_LAST = 4  # windows after which no field is broken any more
MODELS = count()


@dataclass(frozen=True, slots=True)
class Turn:
    """What happens after one window: whether the alerter looks, how much it works at once, what receivers answer."""

    works: bool
    at_once: int
    from_tier: str | None  # of the pager from now on
    answers: Mapping[str, list[int]]
    jitter: float
    sends: bool


@dataclass(frozen=True, slots=True)
class History:
    """Letters of windows by version, of the broken field, and a turn after each."""

    drift: tuple[str, str]
    broken: str
    turns: list[Turn]
    ends_with: str


STATUSES = st.lists(st.sampled_from((200, 500, 503, 429, 404)), max_size=4)
TURNS = st.builds(
    Turn,
    works=st.sampled_from((True, True, True, False)),
    at_once=st.sampled_from((1, 50)),
    from_tier=st.sampled_from((None, None, None, None, *TIERS)),
    answers=st.fixed_dictionaries(dict.fromkeys(NAMES, STATUSES)),
    jitter=st.floats(0, 1, exclude_max=True),
    sends=st.booleans(),
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Drift of two versions, a broken field now and then, and at the end three windows that say the same."""
    turns = draw(st.lists(TURNS, min_size=4, max_size=14))
    letters = st.text(alphabet=".wac? ", min_size=len(turns), max_size=len(turns))
    broken = draw(st.text(alphabet="   .a", min_size=len(turns), max_size=len(turns)))
    return History((draw(letters), draw(letters)), broken, turns, draw(st.sampled_from(".wac")))


@dataclass
class World:
    """A model, its alerter, its receivers and the time, which only moves on."""

    engine: Engine
    hooks: Mapping[str, Receiver]
    name: str = field(default_factory=lambda: f"m{next(MODELS)}")
    now: int = T0
    pager: str = "critical"
    story: ScriptedEvaluator = field(default_factory=ScriptedEvaluator)
    applied: AppliedModel = field(init=False)

    def __post_init__(self) -> None:
        self.apply()

    def apply(self) -> None:
        receivers = [
            webhook("team", self.hooks["team"].url),
            webhook("pager", self.hooks["pager"].url, from_tier=self.pager),
        ]
        self.applied = apply_story(self.engine, model=self.name, receivers=receivers)

    def windows(self, window_end: int, drift: tuple[str, str], broken: str) -> None:
        """Let the next windows end: of two versions, and of a third one whose field may be broken."""
        first, second = drift
        self.now = window_end + MINUTE_MILLIS
        self.story.play(self.applied, first, start=window_end)
        self.story.play(self.applied, second, start=window_end, version="2")
        self.story.play(
            self.applied, broken, start=window_end, version="3", kind=IncidentKind.DATA_QUALITY, column="region"
        )

    def work(self, at_once: int = 50) -> None:
        """One look of an alerter that was just started: it knows what is in Postgres, and nothing else."""
        advance_model(self.engine, self.applied, replace(self.story, at_once=at_once), Settings(), now_millis=self.now)

    def send(self, jitter: float = 0.0) -> None:
        """Expire what is overdue and send what is due, as one look of the sender does."""
        sender = DeliverySettings(
            engine=self.engine,
            owner=self.name,
            webhook=WebhookSettings(timeout_seconds=5, allow_private=True, environment={SECRET_ENV: SECRET_TEXT}),
            jitter=lambda: jitter,
            now=lambda _: self.now,
        )
        expire_overdue_effects(sender)
        for endpoint_id in endpoints_with_work(sender):
            deliver_to_endpoint(sender, endpoint_id)

    def answers(self, statuses: Mapping[str, list[int]]) -> None:
        """Let each receiver answer these from now on, and 200 after them."""
        for name, hook in self.hooks.items():
            with hook.lock:
                hook.script[:] = [*(Answer(status=status) for status in statuses[name]), Answer()]

    def incidents(self) -> dict[str, IncidentState]:
        query = sa.select(schema.incident.c.state).where(schema.incident.c.model_id == self.applied.model_id)
        with self.engine.connect() as connection:
            states = [decode_state(text) for text in connection.scalars(query)]
        return {state.id: state for state in states}

    def messages(self, receiver_name: str) -> list[tuple[DeliveryState, dict[str, Any]]]:
        query = (
            sa.select(schema.outbox.c.state, schema.outbox.c.body)
            .where(
                schema.outbox.c.model_id == self.applied.model_id,
                schema.outbox.c.receiver == receiver_name,
                schema.outbox.c.kind == EffectKind.NOTIFICATION.value,
            )
            .order_by(schema.outbox.c.created_at)
        )
        with self.engine.connect() as connection:
            rows = connection.execute(query).all()
        return [(DeliveryState(row.state), body_of(bytes(row.body))) for row in rows]


@pytest.fixture(scope="module")
def hooks() -> Iterator[dict[str, Receiver]]:
    with receiver(SECRET) as team, receiver(SECRET) as pager:
        yield {"team": team, "pager": pager}


def play(world: World, history: History) -> None:
    """Play the history, then nine windows of one letter, looked at in time and delivered to everyone."""
    for index, turn in enumerate(history.turns):
        first, second = history.drift
        world.windows(T0 + index * STEP, (first[index], second[index]), history.broken[index])
        if turn.from_tier is not None:
            world.pager = turn.from_tier
            world.apply()
        world.answers(turn.answers)
        if turn.works:
            world.work(turn.at_once)
        if turn.sends:
            world.send(turn.jitter)
    world.answers({name: [] for name in NAMES})
    for index in range(len(history.turns), len(history.turns) + 9):
        world.windows(T0 + index * STEP, (history.ends_with, history.ends_with), ".")
        world.work()
    for _ in range(3):
        world.now += 5 * HOUR_MILLIS
        world.send()


@given(history=histories())
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_receiver_knows_what_is_so_or_another_was_notified(
    engine: Engine, hooks: Mapping[str, Receiver], history: History
) -> None:
    """Rules 1, 2 and 4, once the history has come to rest and every receiver answers."""
    world = World(engine, hooks)
    play(world, history)
    require_the_last_to_be_so(world)
    require_order(world)
    require_another_receiver(world)


def require_the_last_to_be_so(world: World) -> None:
    """Rule 1: who was sent a trigger is sent the end; who was not is as the spec wants it; nothing is left unsent.

    What the receiver refused for good is another's to be notified of, see below.
    """
    from_tier = {"team": Tier.WARNING, "pager": Tier.of_word(world.pager)}
    for name in NAMES:
        sent = world.messages(name)
        assert {state for state, _ in sent} <= {DeliveryState.DONE, DeliveryState.SUPERSEDED, DeliveryState.DEAD}
        last = last_parts(body for state, body in sent if state is not DeliveryState.SUPERSEDED)
        refused = last_parts(body for state, body in sent if state is DeliveryState.DEAD)
        for state in world.incidents().values():
            part = last.get(state.id)
            if part is not None and part == refused.get(state.id):
                continue
            standing = part is not None and part["event"] != NoticeEvent.END
            if not state.is_open:
                assert not standing, f"{name} was not sent the end of {state}"
            elif standing:
                assert part is not None
                assert part["tier"] == state.tier.word
            else:
                assert state.tier < from_tier[name], f"{name} was not sent {state}"


def require_order(world: World) -> None:
    """Rule 2: attempts of one incident to one receiver go in the order of their numbers, whatever was answered."""
    for hook in world.hooks.values():
        numbers: dict[str, int] = {}
        for request in hook.requests:
            body = body_of(request.body)
            if body["model"]["name"] == world.name:
                for part in body["incidents"]:
                    assert part["sequence"] >= numbers.get(part["id"], 0)
                    numbers[part["id"]] = part["sequence"]


def require_another_receiver(world: World) -> None:
    """Rule 4: the other one gets all that was refused and who was not notified, unless it has refused it before."""
    for name, other in (NAMES, NAMES[::-1]):
        instead = [body for _, body in world.messages(other) if body["type"] == UNDELIVERED]
        for state, body in world.messages(name):
            if state is DeliveryState.DEAD and other not in body["not_notified"]:
                notices = [notice for notice in instead if notice["sentence"].endswith(f": {body['sentence']}")]
                assert [notice["not_notified"] for notice in notices] == [[*body["not_notified"], name]]


def last_parts(bodies: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return by id the newest thing that the messages say of each incident."""
    last: dict[str, dict[str, Any]] = {}
    for part in (part for body in bodies for part in body["incidents"]):
        if part["sequence"] >= last.get(part["id"], part)["sequence"]:
            last[part["id"]] = part
    return last
