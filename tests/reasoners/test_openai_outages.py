"""A server that is away, was never there, or cannot be worked with at all; and how connections to it are used."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from lrm_server import Running, free_port, running
from provider import PROMPT, Provider, reply, self_signed, status

from lavis.common.errors import ReasonerError, ReasonerUnusableError
from lavis.reasoners.base import Completion
from lavis.reasoners.openai_compatible import OpenAIReasoner

Ask = Callable[..., OpenAIReasoner]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as threads:
        yield threads


def asked(pool: ThreadPoolExecutor, reasoner: OpenAIReasoner, n_calls: int) -> list[Future[Completion]]:
    return [pool.submit(reasoner.complete, PROMPT) for _ in range(n_calls)]


def wait_until(is_so: Callable[[], object], within_s: float = 20.0) -> None:
    end = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.01)


def n_connections(server: Running) -> int:
    """The connections made so far, without the ones that ask for this."""
    first = server.stats()["connections"]
    return int(first - 1)


# -- at the start ------------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_named_within_seconds(make: Ask) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    start = time.monotonic()

    with pytest.raises(ReasonerUnusableError, match=rf"{url}: the connection failed .*base_url and that the server"):
        make(url).complete(PROMPT)
    assert 7.0 <= time.monotonic() - start <= 15.0  # 8 s of patience: a server may still be starting


def test_a_server_that_starts_late_is_waited_for(make: Ask, pool: ThreadPoolExecutor) -> None:
    port = free_port()
    reasoner = make(f"http://127.0.0.1:{port}/v1", max_attempts=1)
    futures = asked(pool, reasoner, 12)
    wait_until(lambda: reasoner.monitor.waiting_for)

    with running(port=port):
        assert all(future.result(timeout=30).text for future in futures)
    assert reasoner.monitor.waiting_for == ""


@pytest.mark.parametrize(("code", "advice"), [(401, "Check the key in PLANTED_KEY"), (404, r"model\.reasoner\.model")])
def test_what_no_question_can_pass_ends_the_run_at_once(ask: Ask, provider: Provider, code: int, advice: str) -> None:
    reasoner = ask(status(code, "no such thing"))

    for _ in range(3):
        with pytest.raises(ReasonerUnusableError, match=rf"HTTP {code} .*no such thing.*{advice}"):
            reasoner.complete(PROMPT)
    assert len(provider.requests) == 1


@pytest.mark.parametrize("transport", ["aiohttp", "httpx"])
@pytest.mark.parametrize("trouble", ["plain", "self-signed"])
def test_no_secure_connection_ends_the_run_at_once(
    make: Ask, provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str, transport: str
) -> None:
    """An https address where plain HTTP is spoken, and a certificate that nobody vouches for."""
    if transport == "httpx":
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "aiohttp" else name)
    server = provider
    if trouble == "self-signed":
        if shutil.which("openssl") is None:
            pytest.skip("the openssl command is not installed; it makes the certificate")
        server = Provider(self_signed(tmp_path))
        server.start()

    with pytest.raises(ReasonerUnusableError, match=r"no secure connection .*https or http") as caught:
        make(server.url.replace("http://", "https://")).complete(PROMPT)
    assert ("CERTIFICATE_VERIFY_FAILED" in str(caught.value)) == (trouble == "self-signed")
    assert not server.requests
    if server is not provider:
        server.stop()


# -- in the middle -----------------------------------------------------------------------------


@pytest.mark.parametrize(("in_flight", "max_connections"), [(12, 8), (1, 1)])
def test_calls_wait_for_a_server_that_went_away_and_go_on(
    make: Ask, pool: ThreadPoolExecutor, in_flight: int, max_connections: int
) -> None:
    port = free_port()
    reasoner = make(f"http://127.0.0.1:{port}/v1", max_attempts=3, max_connections=max_connections)
    with running(port=port):
        reasoner.complete(PROMPT)

    futures = asked(pool, reasoner, in_flight)
    wait_until(lambda: reasoner.monitor.waiting_for or any(future.done() for future in futures))
    assert f"127.0.0.1:{port}/v1 is away (the connection failed" in reasoner.monitor.waiting_for
    time.sleep(1.2)  # two probes
    assert not any(future.done() for future in futures)

    with running(port=port):
        completions = [future.result(timeout=30) for future in futures]
    assert all(completion.text for completion in completions)
    assert max(completion.attempts for completion in completions) <= 3
    assert reasoner.monitor.waiting_for == ""


def test_an_outage_ends_the_run_in_the_end(make: Ask, pool: ThreadPoolExecutor) -> None:
    with running() as server:
        reasoner = make(server.url, max_outage_s=1.5)
        reasoner.complete(PROMPT)
        server.control(down=True)
        futures = asked(pool, reasoner, 10)

        for future in futures:
            with pytest.raises(ReasonerUnusableError, match=r"no answer for \d+ s.*run\.run_id"):
                future.result(timeout=30)
        before = server.stats()["calls"]
        with pytest.raises(ReasonerUnusableError):
            reasoner.complete(PROMPT)
        assert server.stats()["calls"] == before

        server.control(down=False)
        reasoner.close()
        assert reasoner.complete(PROMPT).text  # opened anew, it does not bear a grudge


def test_while_a_server_is_away_one_call_probes(make: Ask, pool: ThreadPoolExecutor) -> None:
    """30 callers wait; a probe is made every half second at most."""
    with running() as server:
        reasoner = make(server.url, max_connections=8)
        reasoner.complete(PROMPT)
        server.control(down=True)
        futures = asked(pool, reasoner, 30)
        wait_until(lambda: reasoner.monitor.waiting_for)
        time.sleep(0.4)  # whoever was on the way has met nobody by now
        before = server.stats()["calls"]
        time.sleep(1.6)
        probes = server.stats()["calls"] - before
        server.control(down=False)
        assert all(future.result(timeout=30).text for future in futures)

    assert 1 <= probes <= 5


def test_one_call_without_luck_is_no_outage(make: Ask) -> None:
    """The server hangs up on every question until it is told otherwise; the first to give up does so by its bounds."""
    with running() as server:
        reasoner = make(server.url, max_attempts=3)
        reasoner.complete(PROMPT)
        server.control(down=True)
        with pytest.raises(ReasonerError, match="3 attempts") as caught:
            reasoner.complete(PROMPT)
        server.control(down=False)

        assert not isinstance(caught.value, ReasonerUnusableError)
        assert reasoner.complete(PROMPT).attempts == 1


# -- connections -------------------------------------------------------------------------------


def test_connections_are_reused_and_never_more_than_configured(make: Ask, pool: ThreadPoolExecutor) -> None:
    with running(latency_s=0.02) as server:
        reasoner = make(server.url, max_connections=6)
        for future in asked(pool, reasoner, 60):
            assert future.result().text

        assert server.stats()["calls"] == 60
        assert server.stats()["most_in_flight"] == 6
        assert n_connections(server) - 2 <= 6  # two connections asked for the stats above


def test_http_2_is_neither_spoken_nor_offered(
    make: Ask, ask: Ask, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lavis.reasoners.openai_compatible.START_S", 0.1)
    ask(reply("A")).complete(PROMPT)
    assert provider.requests[0].version == "HTTP/1.1"

    hello: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def read_hello() -> None:
            with listening.accept()[0] as connection:
                hello.append(connection.recv(65536))

        thread = threading.Thread(target=read_hello)
        thread.start()
        with pytest.raises(ReasonerError):
            make(f"https://127.0.0.1:{listening.getsockname()[1]}/v1", max_attempts=1, timeout_s=2).complete(PROMPT)
        thread.join()
    assert hello[0][:2] == b"\x16\x03"  # a TLS handshake
    assert b"\x02h2" not in hello[0]  # ALPN's name of HTTP/2
