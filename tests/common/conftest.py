"""What the tests talk to: ranks as torchrun starts them, over gloo, and an HTTP server on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

Ranks = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_ranks(tmp_path: Path, repo_root: Path) -> Ranks:
    """Run a script, with arguments, as two ranks; fail with its errors if a rank fails."""

    def run(script: str, *arguments: object, ranks: int = 2) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "rank_script.py"
        path.write_text(script, encoding="utf-8")
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={ranks}"]
        done = subprocess.run(
            [*command, str(path), *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": str(repo_root), "OMP_NUM_THREADS": "1"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done

    return run


class FileServer:
    """An HTTP server on this machine.

    Attributes:
        url: its address.
        files: path to content; anything else is a 404.
        cut: paths that announce more than they send.
        asked: the paths that were asked for.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.asked: list[str] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.asked.append(self.path)
                content = owner.files.get(self.path.partition("?")[0])
                if content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(content) + (9 if self.path in owner.cut else 0)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Keep the tests' output clean."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def file_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    served = FileServer()
    thread = threading.Thread(target=served.server.serve_forever, daemon=True)
    thread.start()
    yield served
    served.server.shutdown()
    served.server.server_close()
    thread.join()
