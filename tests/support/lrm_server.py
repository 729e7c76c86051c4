"""A server that speaks OpenAI's chat completions on this machine, with a set latency and set faults.

A process of its own (``python tests/support/lrm_server.py --latency-s 0.2``), so that it takes no time from
whoever asks it; the first line it prints is its address. What it replies is a function of the messages alone,
without the marker of a run's fences. ``POST /control`` changes a setting while it runs, ``GET /stats`` says what
it was asked.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

QUESTION = re.compile(r"^Question: (.*)$", re.MULTILINE)
OPTION = re.compile(r"^([A-Z])\. ", re.MULTILINE)
CARD = re.compile(r"^(\w+): ", re.MULTILINE)
FENCE = re.compile(r"</?evidence [^>\n]*>")
WORDS = ("left", "right", "yes", "no", "two", "brown", "chair", "table")
HANGS_S = 3600.0


@dataclasses.dataclass
class Settings:
    """How the server behaves.

    Attributes:
        latency_s: of every reply.
        capacity: calls worked on at once; more wait their turn, so that latency rises. 0: no limit.
        max_in_flight: more calls than this are answered 429. 0: no limit.
        faults: what is answered in turn instead of a reply: a status, ``timeout``, ``empty`` or ``cut``.
        fault_rate: the share of calls that meet a fault, spread evenly.
        down: connections are dropped as soon as something is asked.
        refuse: a status with which everything is refused, the same words each time; 0: nothing is.
        context_chars: longer messages are refused as vLLM refuses them. 0: any length fits.
        reply: said instead of an answer of its own.
    """

    latency_s: float = 0.0
    capacity: int = 0
    max_in_flight: int = 0
    faults: tuple[str, ...] = ()
    fault_rate: float = 0.0
    down: bool = False
    refuse: int = 0
    context_chars: int = 0
    reply: str = ""


class LRM:
    """What the connections share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.calls = 0
        self.paid: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.faults_played = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.connections = 0
        self.slots: asyncio.Semaphore | None = asyncio.Semaphore(settings.capacity) if settings.capacity else None

    def control(self, changes: dict[str, Any]) -> None:
        if "faults" in changes:
            changes["faults"] = tuple(changes["faults"])
        self.settings = dataclasses.replace(self.settings, **changes)
        if "capacity" in changes:
            self.slots = asyncio.Semaphore(changes["capacity"]) if changes["capacity"] else None

    def stats(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "faults": self.faults_played,
            "asked": self.asked,
            "paid": self.paid,
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
            "connections": self.connections,
        }

    def fault(self) -> str | None:
        """Return the fault that this call meets, if any: the k-th of ``faults`` in turn, evenly spread."""
        rate, faults = self.settings.fault_rate, self.settings.faults
        if not faults or int(self.calls * rate) == int((self.calls - 1) * rate):
            return None
        self.faults_played += 1
        return faults[(self.faults_played - 1) % len(faults)]

    async def answer(self, request: dict[str, Any], started: float) -> tuple[int, bytes, dict[str, str]] | None:
        """Return (status, body, headers) for a request; None to hang up."""
        settings = self.settings
        texts = [_text(message["content"]) for message in request["messages"]]
        asked = QUESTION.search(texts[-1])
        name = asked[1] if asked else texts[-1][-60:]
        self.calls += 1
        self.asked[name] += 1
        if settings.down:
            return None
        if settings.refuse:
            return settings.refuse, _error(f"refused with {settings.refuse}"), {}
        length = sum(map(len, texts))
        if settings.context_chars and length > settings.context_chars:
            limit, tokens = settings.context_chars // 4, length // 4
            words = f"This model's maximum context length is {limit} tokens. However, you requested {tokens} tokens."
            return 400, _error(words, "context_length_exceeded"), {}
        if settings.max_in_flight and self.in_flight > settings.max_in_flight:
            return 429, _error("too many requests"), {"Retry-After": "0"}
        fault = self.fault()
        if fault == "timeout":
            await asyncio.sleep(HANGS_S)
        if fault is not None and fault.isdigit():
            return int(fault), _error(f"fault {fault}"), {"Retry-After": "0"} if fault == "429" else {}
        if self.slots is not None:
            async with self.slots:
                await asyncio.sleep(settings.latency_s)
        else:
            await asyncio.sleep(max(0.0, started + settings.latency_s - asyncio.get_running_loop().time()))
        if fault == "empty":
            return 200, b"\n\n", {}
        body = json.dumps(_completion(request, texts, settings.reply)).encode()
        if fault == "cut":
            return 200, body[: len(body) // 2], {}
        self.paid[name] += 1
        return 200, body, {}


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as little as a client needs."""

    def __init__(self, lrm: LRM) -> None:
        self.lrm = lrm
        self.buffer = b""
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.lrm.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        for task in self.tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            line = self.buffer[:end].split(b"\r\n", 1)[0].decode()
            body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
            task = asyncio.get_running_loop().create_task(self.serve(line, body))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def serve(self, line: str, body: bytes) -> None:
        started = asyncio.get_running_loop().time()
        path = line.split(" ")[1]
        if path == "/stats":
            self.send(200, json.dumps(self.lrm.stats()).encode(), {})
        elif path == "/control":
            self.lrm.control(json.loads(body))
            self.send(200, b"{}", {})
        else:
            self.lrm.in_flight += 1
            self.lrm.most_in_flight = max(self.lrm.most_in_flight, self.lrm.in_flight)
            try:
                answer = await self.lrm.answer(json.loads(body), started)
            finally:
                self.lrm.in_flight -= 1
            if answer is None:
                self.transport.abort()
            else:
                self.send(*answer)

    def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        self.transport.write(head.encode() + body)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content)


def _error(message: str, code: str | None = None) -> bytes:
    return json.dumps({"error": {"message": message, "type": "error", "code": code}}).encode()


def _completion(request: dict[str, Any], texts: list[str], said: str) -> dict[str, Any]:
    heard = FENCE.sub("", "\n".join(texts))
    number = int.from_bytes(hashlib.sha256(heard.encode()).digest()[:8], "big")
    if not said and "Experts:" in texts[-1]:
        names = CARD.findall(texts[-1].split("Experts:", 1)[1])
        chosen = [name for name in names if name not in ("Question", "Situation")][: 1 + number % 3]
        schema = request.get("response_format", {}).get("json_schema", {}).get("schema", {})
        key = next(iter(schema.get("properties", {})), None)
        reasoned = [{"name": name, "reason": "it sees it"} for name in chosen]
        said = ", ".join(chosen) if key is None else json.dumps({key: reasoned})
    elif not said:
        options = OPTION.findall(texts[-1])
        said = f"Answer: {options[number % len(options)] if options else WORDS[number % len(WORDS)]}"
    usage = {"prompt_tokens": len(heard) // 4, "completion_tokens": max(1, len(said) // 4)}
    message = {"role": "assistant", "content": said}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": request["model"],
        "choices": [choice],
        "usage": usage,
    }


async def serve(port: int, settings: Settings) -> None:
    """Serve until SIGTERM."""
    loop = asyncio.get_running_loop()
    lrm = LRM(settings)
    server = await loop.create_server(lambda: Connection(lrm), "127.0.0.1", port, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    done = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, done.set)
    await done.wait()


class Running:
    """A server that runs, seen from the process that started it."""

    def __init__(self, url: str, process: subprocess.Popen[str]) -> None:
        self.url = url
        self.process = process

    def control(self, **changes: Any) -> None:
        """Change settings."""
        self._ask("/control", json.dumps(changes).encode())

    def stats(self) -> dict[str, Any]:
        """Return what it was asked."""
        return self._ask("/stats", None)

    def _ask(self, path: str, data: bytes | None) -> dict[str, Any]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url.removesuffix("/v1") + path, data=data, timeout=30) as response:
            found: dict[str, Any] = json.loads(response.read())
            return found


@contextlib.contextmanager
def running(*, port: int = 0, **settings: Any) -> Iterator[Running]:
    """Start a server in a process of its own; it ends with the block."""
    words = [sys.executable, __file__, "--port", str(port), "--settings", json.dumps(settings)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Running(process.stdout.readline().strip(), process)
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--settings", type=json.loads, default={}, help="JSON of the settings above")
    parser.add_argument("--latency-s", type=float)
    options = parser.parse_args()
    settings = {**options.settings, **({} if options.latency_s is None else {"latency_s": options.latency_s})}
    if "faults" in settings:
        settings["faults"] = tuple(settings["faults"])
    os.environ.pop("PYTHONPATH", None)
    asyncio.run(serve(options.port, Settings(**settings)))


if __name__ == "__main__":
    main()
