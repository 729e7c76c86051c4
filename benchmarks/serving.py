"""What the benchmarks of served reasoners share: synthetic questions, runs against a local server, the bare client."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from runs import ROOT, Ran

sys.path.insert(0, str(ROOT / "tests" / "support"))

from lrm_server import Running
from overhead import OPTIONS, write_questions

CONFIG = "projects/mexa/eval/sqa3d.yaml"
SYNTHETIC = [option for option in OPTIONS if not option.startswith("model.reasoner")]


@dataclasses.dataclass(frozen=True)
class Served:
    """One finished run against a server: when its questions were finished, in s from the first one.

    ``rate`` is that of all questions; ``steady_rate`` that of the middle 80 %, after the connections have
    grown and before the last calls.
    """

    ran: Ran
    finished_s: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Questions per s from the first to the last that was finished."""
        return (len(self.finished_s) - 1) / (self.finished_s[-1] - self.finished_s[0])

    @property
    def steady_rate(self) -> float:
        """Questions per s over the middle 80 %."""
        n = len(self.finished_s)
        first, last = n // 10, n - n // 10 - 1
        return (last - first) / (self.finished_s[last] - self.finished_s[first])


def reasoner_options(server: Running, connections: int, *more: str) -> list[str]:
    """Return the options of a run that asks a local server."""
    return [
        "model.reasoner.type=openai",
        f"model.reasoner.base_url={server.url}",
        "model.reasoner.model=local",
        "model.reasoner.api_key_env=null",
        f"model.reasoner.max_connections={connections}",
        *more,
    ]


def synthetic_root(base: Path, n: int) -> Path:
    """Return a root with n synthetic questions, made when it is first asked for."""
    root = base / f"root{n}"
    if not root.exists():
        write_questions(root, n)
    return root


def run_served(base: Path, root: Path, run_id: str, options: list[str], *, ranks: int = 1) -> Served:
    """Run evaluate.py on a root with a cache of its own, and read when its questions were finished."""
    launcher = [sys.executable]
    if ranks > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={ranks}"]
    command = [
        *(*launcher, "evaluate.py", "--cfg-path", CONFIG, "--options"),
        *(f"run.output_dir={base / 'out'}", f"run.run_id={run_id}", *options),
    ]
    environment = {
        **os.environ,
        "SQA3D_ROOT": str(root),
        "LAVIS_CACHE": str(base / f"cache-{run_id}"),
        "PYTHONWARNINGS": "ignore",
        "OMP_NUM_THREADS": "1",
    }
    start = time.perf_counter()
    with open(base / f"{run_id}.log", "wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit((base / f"{run_id}.log").read_text()[-3000:])
    folder = base / "out" / run_id
    metrics = json.loads((folder / "metrics.json").read_text())
    ran = Ran(time.perf_counter() - start, usage.ru_maxrss * 1024 / 1e6, metrics, folder)
    moments = [
        datetime.datetime.fromisoformat(json.loads(line)["finished_at"]).timestamp()
        for path in sorted((folder / "answers").glob("rank*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    first = min(moments)
    return Served(ran, tuple(sorted(moment - first for moment in moments)))


def bare_client_rate(server: Running, connections: int, n: int) -> float:
    """Return calls per s of the openai client alone, asked the way its documentation shows."""
    return asyncio.run(_bare(server.url, connections, n))


async def _bare(url: str, connections: int, n: int) -> float:
    import httpx2
    import openai

    limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
    http_client = openai.DefaultAsyncHttpxClient(http2=False, trust_env=False, limits=limits)
    client = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0, http_client=http_client)
    numbers = iter(range(n))

    async def ask(number: int) -> None:
        text = f"{'evidence ' * 200}\n\nQuestion: {number}?"
        await client.chat.completions.create(model="local", messages=[{"role": "user", "content": text}], temperature=0)

    async def worker() -> None:
        for number in numbers:
            await ask(number)

    await ask(-1)  # what the client imports at its first call is not measured
    start = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(connections)))
    elapsed_s = time.perf_counter() - start
    await client.close()
    return n / elapsed_s
