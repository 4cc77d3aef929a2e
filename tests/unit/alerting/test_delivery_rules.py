"""Classifying answers, waiting between attempts, signing, and which addresses are refused."""

import base64
import ipaddress
import secrets
from urllib.parse import urlsplit

import httpcore2
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from alerting.delivery.address_guard import TargetRefused, address_refusal, checked_address
from alerting.delivery.retry import (
    AttemptOutcome,
    answer_outcome,
    failure_outcome,
    retry_after_seconds,
    retry_delay_seconds,
)
from alerting.delivery.send import target_problem
from alerting.delivery.signing import read_secret, signed_headers
from monitor.clock import now_millis
from monitor.errors import SettingsError
from monitor.settings import load_settings
from monitor.spec.actions import SecretSource
from monitor.targets import AllowedTargets
from monitor.types import EffectKind

HOOK_SECRET = SecretSource(env="HOOK_SECRET")


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        ((200, 201, 202, 204, 299), AttemptOutcome.DONE),
        ((301, 302, 307, 308), AttemptOutcome.DEAD),
        ((400, 402, 404, 405, 409, 410, 413, 422), AttemptOutcome.DEAD),
        ((401, 403, 407), AttemptOutcome.UNAUTHORIZED),
        ((408, 425, 429, 500, 502, 503, 504, 599), AttemptOutcome.RETRY),
    ],
)
def test_each_status_has_one_meaning(statuses: tuple[int, ...], outcome: AttemptOutcome) -> None:
    """2xx done, redirects and refusals dead, overload and server faults again, and so what a rotated secret gets."""
    assert {answer_outcome(status) for status in statuses} == {outcome}


def test_a_time_out_after_sending_is_unknown() -> None:
    """Before the request left nothing can have happened; after it, anything."""
    assert failure_outcome(httpcore2.ConnectError("refused")) is AttemptOutcome.RETRY
    assert failure_outcome(httpcore2.ConnectTimeout("slow")) is AttemptOutcome.RETRY
    assert failure_outcome(httpcore2.ReadTimeout("silent")) is AttemptOutcome.UNKNOWN
    assert failure_outcome(httpcore2.RemoteProtocolError("hung up")) is AttemptOutcome.UNKNOWN


@given(attempt=st.integers(1, 100), fraction=st.floats(0, 1, exclude_max=True), kind=st.sampled_from(EffectKind))
def test_waits_stay_inside_the_schedule(attempt: int, fraction: float, kind: EffectKind) -> None:
    """Full jitter: from nothing to ten minutes at most for actions, four hours for notifications."""
    limit = 600 if kind is EffectKind.ACTION else 14_400
    assert 0 <= retry_delay_seconds(kind, attempt=attempt, fraction=fraction) <= limit


def test_retry_after_is_the_least_wait() -> None:
    """What the receiver asks for is obeyed, up to an hour; a date is not read."""
    assert retry_delay_seconds(EffectKind.ACTION, attempt=1, fraction=0.5, retry_after_seconds=90) == 90
    assert retry_delay_seconds(EffectKind.ACTION, attempt=1, fraction=0.0, retry_after_seconds=1e9) == 3600
    assert retry_delay_seconds(EffectKind.ACTION, attempt=2, fraction=0.5, retry_after_seconds=None) == 15
    assert retry_after_seconds("120") == 120
    assert [retry_after_seconds(odd) for odd in ("²", "٣", "-1", "1e3", "", " ")] == [None] * 6
    assert (
        retry_delay_seconds(
            EffectKind.ACTION, attempt=1, fraction=0, retry_after_seconds=retry_after_seconds("9" * 400)
        )
        == 3600
    )
    assert retry_after_seconds("Wed, 21 Oct 2026 07:28:00 GMT") is None


def test_a_refused_authentication_and_a_missing_secret_are_looked_at_soon() -> None:
    """Not after the four hours of a receiver that is down: minutes after a 401, half a minute without a secret."""

    def longest(outcome: AttemptOutcome) -> float:
        return retry_delay_seconds(EffectKind.NOTIFICATION, attempt=50, fraction=1.0, outcome=outcome)

    assert longest(AttemptOutcome.RETRY) == 14_400
    assert longest(AttemptOutcome.UNAUTHORIZED) == 600
    assert longest(AttemptOutcome.UNCONFIGURED) == 30


def secret_text(size: int) -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(size)).decode()


@pytest.mark.parametrize("size", [23, 65])
def test_a_secret_of_the_wrong_length_is_refused(size: int) -> None:
    """24 to 64 bytes; the refusal names the variable and never the secret."""
    text = secret_text(size)
    with pytest.raises(
        SettingsError, match=f"HOOK_SECRET: expected a secret of 24 to 64 bytes, found {size}"
    ) as caught:
        read_secret(HOOK_SECRET, {"HOOK_SECRET": text})
    assert text not in str(caught.value)


@pytest.mark.parametrize("environment", [{}, {"HOOK_SECRET": ""}, {"HOOK_SECRET": "whsec_not base64!"}])
def test_a_missing_or_broken_secret_is_refused(environment: dict[str, str]) -> None:
    """Nothing is ever sent unsigned."""
    with pytest.raises(SettingsError, match="HOOK_SECRET"):
        read_secret(HOOK_SECRET, environment)


@pytest.mark.parametrize("size", [24, 64])
def test_signatures_verify_with_the_published_library(size: int) -> None:
    """What is signed here, `standardwebhooks` accepts, and refuses after one changed byte."""
    text = secret_text(size)
    secret = read_secret(HOOK_SECRET, {"HOOK_SECRET": text})
    body = '{"sentence": "Einkommen höher"}'.encode()
    headers = signed_headers((secret,), identifier="a-b-c", body=body, now_millis=now_millis())
    assert Webhook(text).verify(body, headers) == {"sentence": "Einkommen höher"}
    assert headers["idempotency-key"] == headers["webhook-id"] == "a-b-c"
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(text).verify(body + b" ", headers)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.1.1",
        "fe80::1",
        "fd00:ec2::254",
        "224.0.0.1",
        "ff02::1",
        "0.0.0.0",
        "::",
        "::ffff:169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::23",
        "fd20:ce::254",
        "fd00:42::42",
        "0.0.0.1",
        "255.255.255.255",
        # the same inside IPv6: NAT64, IPv4-compatible, translated, 6to4, Teredo, ISATAP, NAT64 of local use
        "64:ff9b::169.254.169.254",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "2002:a9fe:a9fe::1",
        "2001:0:808:808:0:0:5601:5601",
        "2001:db8::5efe:169.254.169.254",
        "64:ff9b:1::169.254.169.254",
        "64:ff9b:1:a9fe:a9:fe00::",
    ],
)
def test_some_addresses_are_always_refused(address: str) -> None:
    """Link-local, metadata, multicast, unspecified, however they are written, and whatever the operator lists."""
    everything = AllowedTargets.parse(["0.0.0.0/0", "::/0", "host"])
    assert address_refusal(ipaddress.ip_address(address), allow_private=True, targets=everything, host="host")


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "::1", "fd00::1", "100.64.0.1", "240.0.0.1"),
        *("fec0::1", "::ffff:127.0.0.1", "::127.0.0.1", "::8.8.8.8", "64:ff9b::10.0.0.1", "64:ff9b:1::10.0.0.1"),
        *("64:ff9b:1::8.8.8.8", "2002:a00:1::1", "2001:db8::1", "2620::5efe:192.168.1.1", "::ffff:0:10.0.0.1"),
    ],
)
def test_private_addresses_need_permission(address: str) -> None:
    """Refused unless `targets` lists the network or the host, or `allow_private_targets`."""
    parsed = ipaddress.ip_address(address)
    elsewhere = AllowedTargets.parse(["203.0.113.0/24", "hooks.internal", "*.svc.cluster.local"])
    assert address_refusal(parsed, allow_private=False) is not None
    assert address_refusal(parsed, allow_private=False, targets=elsewhere, host="internal") is not None
    assert address_refusal(parsed, allow_private=True) is None
    assert address_refusal(parsed, allow_private=False, targets=AllowedTargets.parse([address])) is None
    for host in ("hooks.internal", "Hooks.Internal.", "a.b.svc.cluster.local"):
        assert address_refusal(parsed, allow_private=False, targets=elsewhere, host=host) is None
    for host in ("evil-hooks.internal", "hooks.internal.example.org", "svc.cluster.local", "xsvc.cluster.local"):
        assert address_refusal(parsed, allow_private=False, targets=elsewhere, host=host) is not None


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"])
def test_public_addresses_need_no_permission(address: str) -> None:
    """Through NAT64 as well, which is how a cluster with IPv6 alone reaches them."""
    assert address_refusal(ipaddress.ip_address(address), allow_private=False) is None


@given(st.ip_addresses(v=4))
def test_no_way_of_writing_an_address_inside_ipv6_permits_more(inner: ipaddress.IPv4Address) -> None:
    """What IPv4 refuses is refused behind every prefix that stands for it."""
    refused = address_refusal(inner, allow_private=False) is not None
    low, high = int(inner) & 0xFFFF, int(inner) >> 16
    for written in (
        f"::ffff:{inner}", f"::{inner}", f"64:ff9b::{inner}", f"64:ff9b:1::{inner}", f"::ffff:0:{inner}",
        f"2002:{high:x}:{low:x}::1", f"2001:db8::5efe:{inner}",
        f"64:ff9b:1:{high:x}:{low >> 8:x}:{(low & 255) << 8:x}::",
        f"2001:0:808:808:0:0:{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}",
    ):  # fmt: skip
        if refused:
            assert address_refusal(ipaddress.ip_address(written), allow_private=False) is not None, written


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "10.0.0.256", "http://hooks.internal", "a b", "", "*", "fd00::/129"])
def test_an_entry_of_the_list_that_is_none_is_refused(entry: str) -> None:
    """A mistyped network must not become a host that never matches."""
    with pytest.raises(SettingsError, match=r"targets.*expected hosts .* and networks"):
        load_settings(targets=(entry,))


def test_this_machine_alone_is_listed_by_default() -> None:
    """The demo and a first start on one machine work; the network behind it is the operator's to permit."""
    targets = AllowedTargets.parse(load_settings().targets)
    assert checked_address("http://localhost:1/", allow_private=False, targets=targets)
    assert address_refusal(ipaddress.ip_address("10.0.0.1"), allow_private=False, targets=targets)
    assert not load_settings().allow_private_targets


@pytest.mark.parametrize("url", ["http://h:99999/", "http://[::1/x", "http://a..b/", f"http://{'a' * 64}.example/"])
def test_what_no_client_would_parse_is_refused(url: str) -> None:
    """A refusal closes the delivery; an error of another kind would be tried for ever."""
    with pytest.raises(TargetRefused):
        checked_address(url, allow_private=True)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]"])
def test_odd_spellings_of_loopback_are_seen_through(host: str) -> None:
    """Decimal, hexadecimal, octal, short and mapped forms are resolved before they are judged."""
    with pytest.raises(TargetRefused, match="private"):
        checked_address(f"http://{host}:8080/", allow_private=False)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/", "http:///nowhere"])
def test_only_http_is_a_target(url: str) -> None:
    """Anything else is refused before it is resolved."""
    with pytest.raises(TargetRefused):
        checked_address(url, allow_private=True)


@given(st.text(alphabet="ab.-_:/@[]%?#0189ü ", max_size=30))
def test_what_passes_is_taken_by_the_sender(rest: str) -> None:
    """Any text: refused in words, or a URL whose host the HTTP library and the resolver's codec read."""
    url = f"http://{rest}"
    if target_problem(url) is None:
        assert httpx2.URL(url).host
        assert urlsplit(url).hostname.encode("idna")  # type: ignore[union-attr]  # what `getaddrinfo` does with it
