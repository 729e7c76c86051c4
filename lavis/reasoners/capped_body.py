"""Response bodies that end with an error where they grow beyond any chat completion."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2

from lavis.reasoners.openai_client import BodyTooLargeError

# No chat completion is longer; what is, is no chat completion, and would be held in memory.
MAX_BODY_BYTES = 16 * 2**20

class CappedStream(httpx2.AsyncByteStream):
    """Passes a body on as it comes, up to :data:`MAX_BODY_BYTES`."""

    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self.inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        n_bytes = 0
        async for chunk in self.inner:
            n_bytes += len(chunk)
            if n_bytes > MAX_BODY_BYTES:
                raise BodyTooLargeError(f"the body exceeds {MAX_BODY_BYTES // 2**20} MiB")
            yield chunk

    async def aclose(self) -> None:
        """Close what is passed on."""
        await self.inner.aclose()


async def cap_body(response: httpx2.Response) -> None:
    """Cap the body of a response; a hook of the client, called before the body is read."""
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = CappedStream(response.stream)
