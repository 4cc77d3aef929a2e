"""What `apply` says of receivers that cannot work: keys that are missing or of another type, values that are none."""

import pytest

from monitor.errors import SpecError
from monitor.spec.actions import ReceiverSpec
from monitor.spec.file import parse_spec

SPEC = """\
model: credit
task: binary_classification
reference: credit.profile
columns:
  income: {{kind: numeric}}
prediction: {{score: true}}
alerting:
  {alerting}
  receivers: [{receiver}]
"""
RIGHT = (
    "{name: a, type: log}",
    "{name: a, type: webhook, url: 'https://example.org/h', secret_env: S, body: alertmanager}",
    "{name: a, type: alertmanager, urls: ['http://am-0:9093', 'http://am-1:9093'], labels: {team: credit}}",
    "{name: a, type: pagerduty, secret: {env: S}}",
    "{name: a, type: pagerduty, secret_env: S, url: 'https://events.eu.pagerduty.com/v2/enqueue', from_tier: critical}",
    "{name: a, type: jsm, secret: {file: /run/secrets/jsm}}",
    "{name: a, type: slack, secret: {env: S}}",
    "{name: a, type: slack, secret: {env: S}, channel: C024BE91L}",
    "{name: a, type: teams, secret: {env: S}}",
    "{name: a, type: mail, url: 'smtp://mail', sender: d@example.org, to: [o@example.org], user: d, secret: {env: S}}",
    "{name: a, type: mail, url: 'smtp+plain://mail:2525', sender: d@example.org, to: [o@example.org]}",
)
WRONG = (
    ("{name: a, type: pagerduty}", "a pagerduty receiver needs secret or secret_env"),
    ("{name: a, type: pagerduty, secret: {env: S}, channel: C0}", "knows no channel: that is a key of slack"),
    ("{name: a, type: alertmanager, url: 'http://am:9093'}", "an alertmanager receiver needs urls"),
    ("{name: a, type: alertmanager, url: 'http://am:9093'}", "an alertmanager receiver knows no url"),
    ("{name: a, type: alertmanager, urls: ['am:9093']}", "urls: expected a URL with http:// or https://"),
    ("{name: a, type: alertmanager, urls: ['http://am:9093'], labels: {my-team: x}}", "found 'my-team'"),
    (
        "{name: a, type: alertmanager, urls: ['http://am:9093'], labels: {model: x}}",
        "model is a label that every alert",
    ),
    ("{name: a, type: slack, url: 'https://hooks.slack.com/services/T/B/X'}", "a slack receiver needs secret"),
    ("{name: a, type: slack, secret: {env: S}, url: 'https://slack.com/x'}", "an incoming webhook's is the secret"),
    ("{name: a, type: teams, secret: {env: S}, url: 'https://x.example'}", "a teams receiver knows no url"),
    ("{name: a, type: mail}", "a mail receiver needs url, sender, and to"),
    ("{name: a, type: mail, url: 'https://m', sender: d@e.org, to: [o@e.org]}", "url: expected smtp://"),
    ("{name: a, type: mail, url: 'smtp://m', sender: 'D <d@e.org>', to: [o@e.org]}", "found 'D <d@e.org>'"),
    ("{name: a, type: mail, url: 'smtp://m', sender: d@e.org, to: [nobody]}", "found 'nobody'"),
    ('{name: a, type: mail, url: "smtp://m", sender: d@e.org, to: ["o@e.org\\r\\nBcc: x@e.org"]}', "a mail address"),
    ("{name: a, type: mail, url: 'smtp://m', sender: d@e.org, to: [o@e.org], user: d}", "user needs secret"),
    (
        "{name: a, type: mail, url: 'smtp+plain://m', sender: d@e.org, to: [o@e.org], user: d, secret: {env: S}}",
        "readable on the way",
    ),
    ("{name: a, type: webhook, url: 'https://e.org', secret_env: S, body: xml}", "body"),
    ("{name: a, type: opsgenie, secret: {env: S}}", "type"),
)


def spec_with(receiver: str, *, alerting: str = "owner: me") -> str:
    return SPEC.format(receiver=receiver, alerting=alerting)


def receiver_of(receiver: str) -> ReceiverSpec:
    return parse_spec(spec_with(receiver), source="spec.yaml").alerting.receivers[0]


@pytest.mark.parametrize("receiver", RIGHT)
def test_a_receiver_that_can_work_is_taken(receiver: str) -> None:
    """Each type with what it needs, and with what else it knows."""
    assert receiver_of(receiver).name == "a"


@pytest.mark.parametrize(("receiver", "says"), WRONG)
def test_a_receiver_that_cannot_work_is_refused_by_what_is_wrong(receiver: str, says: str) -> None:
    """Before anything is to be sent to it; the message names the key, and where it belongs."""
    with pytest.raises(SpecError) as raised:
        receiver_of(receiver)
    assert says in str(raised.value)
    assert "alerting.receivers[0]" in str(raised.value)


def test_all_that_is_wrong_is_named_at_once() -> None:
    """One `apply` is enough to see it all."""
    with pytest.raises(SpecError) as raised:
        receiver_of("{name: a, type: mail, labels: {x-y: z}, to: [nobody]}")
    for says in ("needs url, and sender", "knows no labels", "x-y", "nobody"):
        assert says in str(raised.value)


def test_a_link_names_only_what_can_be_filled_in() -> None:
    """A misspelt place would be in every link as it is."""
    with pytest.raises(SpecError) as raised:
        parse_spec(spec_with(RIGHT[0], alerting="link: 'https://g.example/?m={modell}'"), source="spec.yaml")
    assert "found {modell}" in str(raised.value)


def test_what_is_filled_into_a_link_is_encoded() -> None:
    """A version with `&` or a slash in its name changes nothing else of the link."""
    spec = parse_spec(
        spec_with(RIGHT[0], alerting="link: 'https://g.example/{kind}?m={model}&v={version}'"), source="spec.yaml"
    )
    link = spec.alerting.link_to(model="credit", version="1&x=/#é", kind="drift")
    assert link == "https://g.example/drift?m=credit&v=1%26x%3D%2F%23%C3%A9"
