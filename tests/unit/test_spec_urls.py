"""Which URLs a spec may send to: those that every parser on the way takes."""

import pytest

from monitor.spec.urls import host_of, url_problem


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("http://h:99999/", "a port from 1 to 65535"),
        ("http://h:0/", "a port from 1 to 65535, found 0"),
        ("http://h:x/", "a port from 1 to 65535"),
        ("http://[::1/x", "Invalid IPv6"),
        ("http://a..b/", "labels of 1 to 63 characters, found a..b"),
        (f"http://{'a' * 64}.example/", "labels of 1 to 63 characters"),
        (f"http://{'.'.join(['a' * 60] * 5)}/", "at most 253 characters, found 304"),
        ("http://exa mple/", "without spaces"),
        ("http://h/\x1b[31m", "without spaces and control characters, found '\\x1b'"),
        ("ftp://h/", "http:// or https://, found ftp"),
        ("h/hook", "found no scheme"),
        ("https:///hook", "a host, found none"),
        ("", "found no scheme"),
    ],
)
def test_a_url_that_cannot_be_sent_to_is_named(url: str, named: str) -> None:
    """What was expected and what was found, for who wrote it."""
    assert named in str(url_problem(url))
    assert host_of(url) is None


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://hooks.example.org/T0/B0?token=x#part", "https://hooks.example.org:443"),
        ("http://user:p%40ss@localhost:8080", "http://localhost:8080"),
        ("http://[::1]:9000/hook", "http://::1:9000"),
        ("https://münchen.example/ü", "https://münchen.example:443"),
        ("http://under_score.svc.cluster.local./", "http://under_score.svc.cluster.local.:80"),
    ],
)
def test_usable_urls_have_a_host(url: str, host: str) -> None:
    """Its scheme, host and port are what answers or does not, whatever comes after them."""
    assert url_problem(url) is None
    assert host_of(url) == host


def test_a_secret_in_a_url_is_not_shown() -> None:
    """A problem names at most the host."""
    for url in ("https://user:hunter2@a..b/hook?password=hunter2", "https://user:hunter2/more@example.org/hook"):
        assert "hunter2" not in str(url_problem(url))
