"""A provider on this machine that plays a script: every way in which providers answer, and fail to."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from lavis.reasoners import Prompt

KEY = "sk-planted-0123456789abcdef"
PROMPT = Prompt(system="Answer.", shared="<evidence x>\na red chair\n</evidence x>", own="Question: What?")

Answer = Callable[["Handler"], None]


class Request(NamedTuple):
    """What was asked; ``moment`` is monotonic time in s."""

    headers: dict[str, str]
    body: dict[str, Any]
    moment: float
    path: str
    version: str


class Handler(BaseHTTPRequestHandler):
    """Plays the next answer of the server's script; the last one is repeated."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Provider

    def do_POST(self) -> None:
        self.body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.lock:
            self.server.requests.append(Request(headers, self.body, time.monotonic(), self.path, self.request_version))
            self.server.in_flight += 1
            self.server.most_in_flight = max(self.server.most_in_flight, self.server.in_flight)
            answer = self.server.script.pop(0) if len(self.server.script) > 1 else self.server.script[0]
        try:
            answer(self)
        finally:
            with self.server.lock:
                self.server.in_flight -= 1

    def send(self, status: int, body: str | bytes, **headers: str) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def send_chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


class Provider(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.scheme = "http" if context is None else "https"
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.script: list[Answer] = [reply("(A) chair")]
        self.requests: list[Request] = []
        self.lock = threading.Lock()
        self.in_flight = 0
        self.most_in_flight = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/v1"

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is what some tests are about."""


def reply_body(content: Any, *, finish: str = "stop", usage: dict[str, Any] | None = None, **message: Any) -> str:
    tokens = {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 60}}
    said = {"role": "assistant", "content": content, **message}
    return json.dumps(
        {
            "id": "c1",
            "object": "chat.completion",
            "created": 1,
            "model": "served-model",
            "choices": [{"index": 0, "finish_reason": finish, "message": said}],
            "usage": tokens if usage is None else usage,
        }
    )


def reply(content: Any, **details: Any) -> Answer:
    """A chat completion."""
    return raw(reply_body(content, **details))


def status(code: int, message: str = "trouble", *, error: dict[str, Any] | None = None, **headers: str) -> Answer:
    """An error as OpenAI writes it; ``error`` adds fields."""
    body = json.dumps({"error": {"message": message, **(error or {})}})
    return lambda handler: handler.send(code, body, **headers)


def raw(body: str | bytes) -> Answer:
    return lambda handler: handler.send(200, body)


def slow(seconds: float, then: Answer) -> Answer:
    def answer(handler: Handler) -> None:
        time.sleep(seconds)
        then(handler)

    return answer


def kept_alive(n_lines: int, every_s: float, then: str) -> Answer:
    """Blank lines in chunks while the model thinks, then the body."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(n_lines):
            handler.send_chunk(b"\n")
            time.sleep(every_s)
        handler.send_chunk(then.encode())
        handler.wfile.write(b"0\r\n\r\n")

    return answer


def cut_off(handler: Handler) -> None:
    """Promise 1000 bytes, send 10, hang up."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices"')
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def self_signed(folder: Path) -> ssl.SSLContext:
    """Return a server's context with a certificate for 127.0.0.1 that nobody vouches for; needs ``openssl``."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", "-x509", *made, *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
