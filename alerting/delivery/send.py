"""Sends one HTTP request of any receiver: to a checked address, over a connection of its own, by one total deadline."""

import functools
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpcore2
import httpx2

from alerting.delivery.address_guard import TargetRefused, TargetUnresolved, checked_address
from alerting.delivery.retry import Attempt, AttemptOutcome, answer_outcome, failure_outcome, retry_after_seconds
from monitor.clock import monotonic_seconds
from monitor.errors import SettingsError
from monitor.spec.urls import url_problem
from monitor.targets import AllowedTargets

ANSWER_BYTES = 64 << 10
ERROR_CHARACTERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent: *headers* as the receiver needs them; host, length and authorization by the URL are added."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


def target_problem(url: str) -> str | None:
    """Return why nothing can be sent to *url*, in words for who wrote it; None when it can."""
    if problem := url_problem(url):
        return problem
    try:
        httpx2.URL(url)
    except httpx2.InvalidURL as error:
        return f"expected a URL, found one that cannot be read: {error}"[:ERROR_CHARACTERS]
    return None


@functools.cache
def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return the one TLS context of this process: the system's authorities, and those in *ca_file*.

    It takes tens of milliseconds to build, so that it is shared by all attempts.

    Raises:
        SettingsError: *ca_file* cannot be read, or holds no certificate.
    """
    context = httpx2.create_ssl_context(trust_env=False)
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"receivers_ca_file: expected a file of PEM certificates at {ca_file}, found {error.strerror or error}"
            ) from error
    return context


def send(
    request: Request,
    *,
    deadline: float,
    allow_private: bool,
    targets: AllowedTargets,
    ca_file: Path | None = None,
) -> Attempt:
    """Send *request* once, and return what came of it; over by *deadline* (of the monotonic clock), whatever comes.

    Redirects are not followed, proxies of the environment not used, 64 KiB of the answer read.
    """
    if problem := target_problem(request.url):
        return Attempt(outcome=AttemptOutcome.UNCONFIGURED, error=f"the url of the spec: {problem}")
    try:
        address = _checked_in_time(request.url, allow_private=allow_private, targets=targets, deadline=deadline)
    except TargetRefused as error:
        return Attempt(outcome=AttemptOutcome.DEAD, error=str(error))
    except TargetUnresolved as error:
        return Attempt(outcome=AttemptOutcome.RETRY, error=str(error))
    url = httpx2.URL(request.url)
    connection = httpcore2.HTTPConnection(
        origin=_origin(url, address),
        ssl_context=tls_context(ca_file),
        network_backend=_Backend(deadline),
    )
    try:
        return _exchange(connection, request, url, address, deadline)
    except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError) as error:
        said = f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS]
        return Attempt(outcome=failure_outcome(error), error=said)
    finally:
        connection.close()


def _checked_in_time(url: str, *, allow_private: bool, targets: AllowedTargets, deadline: float) -> str:
    """Return the address of *url*; the resolver, which knows no deadline of ours, may go on without us."""
    results: list[str | Exception] = []

    def resolve() -> None:
        try:
            results.append(checked_address(url, allow_private=allow_private, targets=targets))
        except Exception as error:  # noqa: BLE001  # raised again below, in the thread that asked
            results.append(error)

    thread = threading.Thread(target=resolve, name="resolve", daemon=True)
    thread.start()
    thread.join(max(deadline - monotonic_seconds(), 0))
    if not results:
        raise TargetUnresolved(f"{httpx2.URL(url).host}: no answer from the resolver in time")
    (result,) = results
    if isinstance(result, Exception):
        raise result
    return result


def _origin(url: httpx2.URL, address: str) -> httpcore2.Origin:
    # Connecting to the address that was checked, not to the name again, leaves a rebound name no second look.
    port = url.port or (443 if url.scheme == "https" else 80)
    return httpcore2.Origin(url.scheme.encode(), address.encode(), port)


def _exchange(
    connection: httpcore2.HTTPConnection, request: Request, url: httpx2.URL, address: str, deadline: float
) -> Attempt:
    origin = _origin(url, address)
    target = httpcore2.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=url.raw_path)
    headers: dict[bytes | str, bytes | str] = {"host": url.netloc, "connection": "close"}
    headers.update(request.headers.items())
    if url.userinfo:
        headers.setdefault("authorization", b"Basic " + b64encode(f"{url.username}:{url.password}".encode()))
    with connection.stream(
        request.method,
        target,
        headers=headers,
        content=request.body,
        extensions={"sni_hostname": url.raw_host.decode()},
    ) as response:
        outcome = answer_outcome(response.status)
        answer = _bounded_answer(response, deadline)
        wait = next((value for name, value in response.headers if name.lower() == b"retry-after"), None)
        return Attempt(
            outcome=outcome,
            status=response.status,
            error=None if outcome is AttemptOutcome.DONE else answer[:ERROR_CHARACTERS],
            answer=answer,
            retry_after_seconds=None if wait is None else retry_after_seconds(wait.decode("latin-1")),
        )


def _bounded_answer(response: httpcore2.Response, deadline: float) -> str:
    """Return the answer's first 64 KiB; its status is known already, so a slow or broken rest changes nothing."""
    read = bytearray()
    try:
        for chunk in response.iter_stream():
            read += chunk
            if len(read) >= ANSWER_BYTES or monotonic_seconds() > deadline:
                break
    except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError):
        read += b" (the answer broke off)"
    return bytes(read[:ANSWER_BYTES]).decode(errors="replace").replace("\x00", "")


class _Backend(httpcore2.NetworkBackend):
    """Connections each of whose steps ends by one deadline, so that all of them together do."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        remaining = _remaining(self._deadline, httpcore2.ConnectTimeout)
        stream = self._inner.connect_tcp(host, port, remaining, local_address, socket_options)
        return _Stream(stream, self._deadline)


class _Stream(httpcore2.NetworkStream):
    """A connection whose reads and writes end by *deadline*; a byte now and then puts nothing off."""

    def __init__(self, inner: httpcore2.NetworkStream, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _remaining(self._deadline, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)
        while view:  # in parts: the time-out is of each `send` below, and a slow reader takes many
            part = bytes(view[:16384])
            self._inner.write(part, _remaining(self._deadline, httpcore2.WriteTimeout))
            view = view[len(part) :]

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        remaining = _remaining(self._deadline, httpcore2.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, remaining), self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._inner.get_extra_info(info)


def _remaining(deadline: float, late: type[httpcore2.TimeoutException]) -> float:
    remaining = deadline - monotonic_seconds()
    if remaining <= 0:
        raise late("no time left for this attempt")
    return remaining
