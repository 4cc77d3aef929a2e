"""What left the installation: each decided message received, none of them twice under another id."""

import json
from collections import Counter, defaultdict

import sqlalchemy as sa

from monitor.store.schema import endpoint, outbox, transition
from tests.fakes.receiver import Received
from tests.soak.compare import Compared
from tests.soak.installation import Installation


def compare_messages(under_test: Installation) -> Compared:
    """Compare the outbox with what was received; the same id again is the promise kept, not a doubled message."""
    sent = sa.select(outbox.c.id, outbox.c.state, outbox.c.body).join(endpoint, endpoint.c.id == outbox.c.endpoint_id)
    with under_test.engine.connect() as connection:
        rows = connection.execute(sent.where(endpoint.c.type == "webhook")).all()  # others are lines in a log
    decided = {str(row.id): bytes(row.body) for row in rows if row.state != "expired"}
    bodies: dict[str, set[bytes]] = defaultdict(set)
    for request in under_test.receiver.requests:
        bodies[request.identifier].add(request.body)
    subjects: dict[str, set[str]] = defaultdict(set)
    for request in under_test.receiver.requests:
        subjects[_subject(request)].add(request.identifier)
    again = {subject: ids for subject, ids in subjects.items() if len(ids) > 1}
    missing = sorted(decided.keys() - bodies.keys())
    changed = [
        identifier
        for identifier, received in bodies.items()
        if len(received) > 1 or received != {decided.get(identifier)}
    ]
    return Compared(
        what="messages received",
        expected=len(decided),
        actual=len(bodies),
        lost=len(missing),
        doubled=sum(len(ids) - 1 for ids in again.values()),
        differing=len(changed),
        examples=tuple(f"two ids {sorted(ids)} for {subject}" for subject, ids in list(again.items())[:3]),
    )


def compare_steps(under_test: Installation) -> Compared:
    """Each step of an incident is decided once per window end."""
    steps = sa.select(transition.c.incident_id, transition.c.window_end, transition.c.step)
    with under_test.engine.connect() as connection:
        decided = Counter(tuple(row) for row in connection.execute(steps))
    doubled = [step for step, times in decided.items() if times > 1]
    return Compared(
        what="steps of incidents",
        expected=len(decided),
        actual=decided.total(),
        lost=0,
        doubled=decided.total() - len(decided),
        examples=tuple(map(str, doubled[:3])),
    )


def _subject(request: Received) -> str:
    """Return what makes a message this one: its type, model, window end and the steps or actions it is about."""
    body = json.loads(request.body)
    about = [(incident["id"], incident["step"]) for incident in body.get("incidents", ())]
    actions = [action["id"] for action in body.get("actions", ())]
    return json.dumps([body.get("type"), body.get("model"), body.get("window_end"), about, actions, body.get("id")])
