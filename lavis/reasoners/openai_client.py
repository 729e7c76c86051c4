"""The official client for one server: one per process, HTTP/1.1, its pool as large as the calls in flight."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import ssl
import urllib.parse
from typing import TYPE_CHECKING, Any

from lavis.common.errors import ConfigError, ReasonerError

if TYPE_CHECKING:
    import openai

CONNECT_TIMEOUT_S = 30.0


class BodyTooLargeError(Exception):
    """A response whose body is longer than any chat completion."""


class BodyTooSlowError(Exception):
    """A response whose body comes on and on."""


def open_client(
    *,
    base_url: str,
    key: str,
    timeout_s: float,
    max_call_s: float,
    connections: int,
    azure: bool,
    api_version: str | None,
) -> openai.AsyncOpenAI:
    """Open the asynchronous client.

    Args:
        base_url: of the API; Azure's end point without the deployment.
        key: sent as a bearer token, or as Azure's ``api-key``; empty for none.
        timeout_s: for silence while a reply is awaited.
        max_call_s: for a body that keeps coming.
        connections: of the pool.
        azure: speak Azure's form of the API.
        api_version: of Azure's.
    """
    import httpx2
    import openai

    from lavis.reasoners.capped_body import BodyCap

    limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
    # A proxy of the environment cannot reach a server on this machine.
    trust_env = not is_loopback(base_url)
    # Over aiohttp a call costs half of what it does over the client's own transport.
    fast = importlib.util.find_spec("aiohttp") is not None
    make = openai.DefaultAioHttpClient if fast else openai.DefaultAsyncHttpxClient
    http_client = make(http2=False, trust_env=trust_env, limits=limits, event_hooks={"response": [BodyCap(max_call_s)]})
    common: dict[str, Any] = {
        "api_key": key or "none",
        "max_retries": 0,  # they are counted, bounded and shown by the reasoner
        "timeout": openai.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
        "http_client": http_client,
    }
    if azure:
        return openai.AsyncAzureOpenAI(azure_endpoint=base_url, api_version=api_version, **common)
    return openai.AsyncOpenAI(base_url=base_url, **common)


def checked_url(base_url: str) -> str:
    """Return an address without a trailing slash.

    Raises:
        ConfigError: it is none of the web, or holds a user, a password or a query.
    """
    parts = urllib.parse.urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("model.reasoner.base_url must begin with https:// or http:// and name a host.")
    if parts.username or parts.password or parts.query:
        raise ConfigError("model.reasoner.base_url holds a user, a password or a query; keys go into api_key_env.")
    return base_url.rstrip("/")


def is_loopback(base_url: str) -> bool:
    """Return whether an address is this machine's own."""
    host = urllib.parse.urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_key(api_key_env: str | None, base_url: str) -> str:
    """Return the key; empty where none is wanted, or a server on this machine was given none.

    Raises:
        ReasonerError: the variable is not set; names it.
    """
    if api_key_env is None:
        return ""
    key = os.environ.get(api_key_env, "").strip()
    if not key and not is_loopback(base_url):
        raise ReasonerError(
            f"The environment variable {api_key_env} is not set: it holds the key for {base_url}. "
            "Set it, or set model.reasoner.api_key_env to null for a server that wants no key."
        )
    return key


def root_cause(error: BaseException) -> BaseException:
    """Return the first error of a chain: the client wraps what its transport raised."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def connection_cause(error: BaseException) -> str:
    """Return why no response came: ``tls``, ``timeout`` or ``connection``."""
    if any(isinstance(one, ssl.SSLError) for one in _chain(error)):
        return "tls"
    # The transport calls a connection that was dropped a timeout too; its own words decide.
    first = root_cause(error)
    timed_out = isinstance(first, TimeoutError) or type(first).__name__.endswith("Timeout")  # aiohttp, httpcore
    return "timeout" if timed_out else "connection"


def never_connected(error: BaseException) -> bool:
    """Return whether no connection was made (refused, no such host), so that the request never left."""
    # By name, since either transport may be absent; the one over aiohttp calls much else a ConnectTimeout.
    names = {base.__name__ for one in _chain(error) for base in type(one).__mro__}
    return bool(names & {"ConnectError", "ClientConnectorError"})


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in chain:
        chain.append(one)
        one = one.__cause__ or one.__context__
    return chain
