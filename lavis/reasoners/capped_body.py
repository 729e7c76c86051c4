"""Response bodies that end with an error where they grow beyond any chat completion, or never end."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import httpx2

from lavis.reasoners.openai_client import BodyTooLargeError, BodyTooSlowError

# No chat completion is longer; what is, is no chat completion, and would be held in memory.
MAX_BODY_BYTES = 16 * 2**20


class CappedStream(httpx2.AsyncByteStream):
    """Passes a body on as it comes, up to :data:`MAX_BODY_BYTES` and for ``max_s``.

    A server that sends blank lines to keep a connection alive is never silent; this is what ends it.
    """

    def __init__(self, inner: httpx2.AsyncByteStream, max_s: float) -> None:
        self.inner = inner
        self.max_s = max_s

    async def __aiter__(self) -> AsyncIterator[bytes]:
        n_bytes, start = 0, time.monotonic()
        async for chunk in self.inner:
            n_bytes += len(chunk)
            if n_bytes > MAX_BODY_BYTES:
                raise BodyTooLargeError(f"the body exceeds {MAX_BODY_BYTES // 2**20} MiB")
            if time.monotonic() - start > self.max_s:
                raise BodyTooSlowError(f"no whole answer within {self.max_s:g} s")
            yield chunk

    async def aclose(self) -> None:
        """Close what is passed on."""
        await self.inner.aclose()


class BodyCap:
    """A hook of the client: caps the body of every response before it is read."""

    def __init__(self, max_s: float) -> None:
        self.max_s = max_s

    async def __call__(self, response: httpx2.Response) -> None:
        """Cap one response."""
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = CappedStream(response.stream, self.max_s)
