"""Where a row goes: as the spec in force says, to its own model's receiver, over TLS that is trusted."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from alerting.delivery.deliver import deliver_to_endpoint, endpoints_with_work
from alerting.delivery.send import tls_context
from monitor.errors import SettingsError
from monitor.types import ActionState, DeliveryState
from tests.fakes.receiver import Answer, receiver
from tests.integration.test_delivery import (
    SECRET,
    action_state,
    ask_for_retraining,
    deliver_all,
    delivery,
    rounds_of,
    the_request,
)
from tests.integration.test_delivery_faults import MINUTE, open_incident, page_row, page_rows, reapply
from tests.models.alerted import action, webhook
from tests.services.certificates import Authority

# F6: configuration reaches what waits --------------------------------------------------------------------------------


def test_a_corrected_url_reaches_what_waits(engine: Engine) -> None:
    """The wrong place answers 500; once the spec names the right one, the waiting row goes there at once."""
    with receiver(SECRET, Answer(status=500)) as wrong, receiver(SECRET) as right:
        open_incident(engine, webhook("pager", wrong.url))
        sender = replace(delivery(engine), jitter=lambda: 0.99)
        deliver_all(sender)
        reapply(engine, webhook("pager", right.url))
        rounds = rounds_of(engine, sender)
        rounds.deliver()
        right.wait_for(lambda hook: len(hook.requests) == 1)
        rounds.close()
        assert len(wrong.requests) == 1
    assert page_row(engine).state == DeliveryState.DONE


def test_an_action_whose_mode_is_off_is_not_sent_any_more(engine: Engine) -> None:
    """Refused with 500 while `auto`, then `mode: off`: nothing more goes out, and the action says why."""
    with receiver(SECRET, Answer(status=500)) as hook:
        applied = ask_for_retraining(engine, hook.url)
        deliver_to_endpoint(replace(delivery(engine), jitter=lambda: 0.99), *endpoints_with_work(delivery(engine)))
        assert len(hook.requests) == 1
        reapply(engine, retraining=action("'off'", hook.url))
        deliver_all(delivery(engine, later_millis=MINUTE))
        assert len(hook.requests) == 1
    assert the_request(engine).state is DeliveryState.WITHDRAWN
    assert "mode is off" in str(the_request(engine).last_error)
    assert action_state(engine, applied) is ActionState.REJECTED


def test_an_unanswered_action_stays_unknown_when_its_mode_is_off(engine: Engine) -> None:
    """It may have been done: switching the mode off later does not make it undone, and people are asked to look."""
    with receiver(SECRET, Answer(status=None)) as hook, receiver(SECRET) as people:
        applied = ask_for_retraining(engine, hook.url, webhook("people", people.url))
        deliver_all(replace(delivery(engine), jitter=lambda: 0.99))
        reapply(engine, webhook("people", people.url), retraining=action("'off'", hook.url))
        deliver_all(delivery(engine, later_millis=MINUTE))
        assert len(hook.requests) == 1
        assert "model.action.unanswered" in [request.content["type"] for request in people.requests]
    assert action_state(engine, applied) is ActionState.UNKNOWN


def test_a_removed_receiver_gets_nothing_more(engine: Engine) -> None:
    """Its waiting page is withdrawn with the reason; the others get theirs."""
    with receiver(SECRET, Answer(status=500)) as former, receiver(SECRET, Answer(status=500), Answer()) as other:
        open_incident(engine, webhook("former", former.url), webhook("other", other.url))
        deliver_all(replace(delivery(engine), jitter=lambda: 0.99))
        reapply(engine, webhook("other", other.url))
        deliver_all(delivery(engine, later_millis=MINUTE))
        assert (len(former.requests), len(other.requests)) == (1, 2)
    assert sorted(row.state for row in page_rows(engine)) == [DeliveryState.DONE, DeliveryState.WITHDRAWN]


# F10: two models, one name -------------------------------------------------------------------------------------------


def test_two_models_written_alike_have_endpoints_of_their_own(engine: Engine) -> None:
    """`eu/credit` in `default` and `credit` in `eu`: pages of one team never go to the other."""
    with receiver(SECRET) as first, receiver(SECRET) as second:
        open_incident(engine, webhook("pager", first.url), model="eu/credit")
        open_incident(engine, webhook("pager", second.url), model="credit", namespace="eu")
        deliver_all(delivery(engine))
        assert [request.content["model"]["namespace"] for request in first.requests] == ["default"]  # type: ignore[index]
        assert [request.content["model"]["namespace"] for request in second.requests] == ["eu"]  # type: ignore[index]


# F16: private authorities --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A private authority that no other test trusts."""
    return Authority(tmp_path_factory.mktemp("authority"))


def test_a_receiver_of_a_private_authority_needs_its_certificate(engine: Engine, authority: Authority) -> None:
    """Without it the certificate is not trusted and the row waits with that reason; with it the very row is sent."""
    with receiver(SECRET, tls=authority.issue("receiver")) as hook:
        open_incident(engine, webhook("pager", hook.url))
        sender = replace(delivery(engine), jitter=lambda: 0.99)
        deliver_all(sender)
        assert hook.requests == []
        assert "certificate verify failed" in str(page_row(engine).last_error)
        trusting = replace(sender.webhook, ca_file=authority.file)
        later = delivery(engine, later_millis=MINUTE).now
        deliver_all(replace(sender, webhook=trusting, now=later))
        assert [request.verified for request in hook.requests] == [True]
    assert page_row(engine).state == DeliveryState.DONE


def test_a_certificate_of_another_host_is_refused(engine: Engine, authority: Authority) -> None:
    """The address is connected to, the name of the URL is what its certificate must be of."""
    with receiver(SECRET, tls=authority.issue("receiver")) as hook:
        open_incident(engine, webhook("pager", hook.url.replace("127.0.0.1", "127.0.0.2")))
        sender = replace(delivery(engine), jitter=lambda: 0.99)
        trusting = replace(sender.webhook, ca_file=authority.file)
        deliver_all(replace(sender, webhook=trusting))
        assert hook.requests == []
    assert page_row(engine).state == DeliveryState.PENDING


def test_a_wrong_file_of_authorities_is_refused_at_the_start(tmp_path: Path) -> None:
    """Named with its setting, before anything is sent."""
    for content in (None, "no certificate"):
        path = tmp_path / f"{content}.pem"
        if content is not None:
            path.write_text(content)
        with pytest.raises(SettingsError, match="receivers_ca_file: expected a file of PEM certificates"):
            tls_context(path)


def test_the_context_of_all_attempts_is_one(authority: Authority) -> None:
    """Reading the system's authorities takes tens of milliseconds: once, and not at each attempt."""
    assert tls_context(authority.file) is tls_context(authority.file)
