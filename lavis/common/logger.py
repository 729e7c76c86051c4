"""What a loop tells while it runs: smoothed meters, progress lines, and the process's log."""

from __future__ import annotations

import logging
import statistics
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from lavis.common.dist_utils import is_dist_avail_and_initialized, is_main_process
from lavis.common.secrets import RedactingFormatter

logger = logging.getLogger(__name__)

# Marks the handler that setup_logger made, so that a second call finds it.
HANDLER_NAME = "lavis"
# They write a line a request.
TALKATIVE = ("httpx", "httpx2", "openai")


class SmoothedValue:
    """A series of values: the latest, a median and mean over a window, and the mean over all.

    Args:
        window_size: how many of the latest values the window holds.
        fmt: how it prints; ``median``, ``avg``, ``global_avg``, ``max``, ``value`` may be named.
    """

    def __init__(self, window_size: int = 20, fmt: str | None = None) -> None:
        self.fmt = "{median:.4f} ({global_avg:.4f})" if fmt is None else fmt
        self.deque: deque[float] = deque(maxlen=window_size)
        self.total = 0.0
        self.count = 0

    def update(self, value: float, n: int = 1) -> None:
        """Add a value that stands for ``n`` of them."""
        self.deque.append(value)
        self.count += n
        self.total += value * n

    def clear(self) -> None:
        """Forget every value."""
        self.deque.clear()
        self.total = 0.0
        self.count = 0

    def synchronize_between_processes(self) -> None:
        """Sum count and total over all ranks; the window stays this rank's own. Nothing without a group."""
        if not is_dist_avail_and_initialized():
            return
        import torch
        import torch.distributed as dist

        # nccl moves tensors of the GPU only, gloo those of the CPU.
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        pair = torch.tensor([self.count, self.total], dtype=torch.float64, device=device)
        dist.all_reduce(pair)
        self.count, self.total = int(pair[0].item()), float(pair[1].item())

    @property
    def median(self) -> float:
        """The lower median of the window."""
        return statistics.median_low(self.deque) if self.deque else float("nan")

    @property
    def avg(self) -> float:
        """The mean of the window."""
        return statistics.fmean(self.deque) if self.deque else float("nan")

    @property
    def global_avg(self) -> float:
        """The mean of all values."""
        return self.total / self.count if self.count else float("nan")

    @property
    def max(self) -> float:
        """The largest value of the window."""
        return max(self.deque) if self.deque else float("nan")

    @property
    def value(self) -> float:
        """The latest value."""
        return self.deque[-1] if self.deque else float("nan")

    def __str__(self) -> str:
        return self.fmt.format(
            median=self.median, avg=self.avg, global_avg=self.global_avg, max=self.max, value=self.value
        )


class MetricLogger:
    """Meters by name, and progress lines while something is iterated."""

    def __init__(self, delimiter: str = "\t") -> None:
        self.meters: dict[str, SmoothedValue] = {}
        self.delimiter = delimiter

    def update(self, **kwargs: Any) -> None:
        """Add a value to each named meter; a tensor of one element counts as a number.

        Raises:
            TypeError: a value is no number.
        """
        for name, value in kwargs.items():
            number = value.item() if hasattr(value, "item") else value
            if not isinstance(number, (int, float)):
                raise TypeError(f"Meter {name!r} takes numbers, not {type(value).__name__}.")
            self.meters.setdefault(name, SmoothedValue()).update(number)

    def add_meter(self, name: str, meter: SmoothedValue) -> None:
        """Use a meter of one's own under a name."""
        self.meters[name] = meter

    def synchronize_between_processes(self) -> None:
        """Sum every meter over all ranks; the meters are taken in the order of their names."""
        for name in sorted(self.meters):
            self.meters[name].synchronize_between_processes()

    def global_avg(self) -> str:
        """Return every meter's mean over all values as one line."""
        return self.delimiter.join(f"{name}: {meter.global_avg:.4f}" for name, meter in self.meters.items())

    def __getattr__(self, name: str) -> SmoothedValue:
        meters = self.__dict__.get("meters", {})
        if name in meters:
            meter: SmoothedValue = meters[name]
            return meter
        raise AttributeError(f"{type(self).__name__} has no meter or attribute {name!r}.")

    def __str__(self) -> str:
        return self.delimiter.join(f"{name}: {meter}" for name, meter in self.meters.items())

    def log_every(self, iterable: Iterable[Any], print_freq: int, header: str | None = None) -> Iterator[Any]:
        """Yield what is iterated and log a line every ``print_freq`` items, at the end, and for the whole.

        An iterable without a length is fine; its lines have no total and no time left.
        """
        title = header or ""
        try:
            total: int | None = len(iterable)  # type: ignore[arg-type]
        except TypeError:  # a stream, or a loader over one, whose len() raises
            total = None
        took, waited = SmoothedValue(fmt="{avg:.4f}"), SmoothedValue(fmt="{avg:.4f}")
        start = last = time.perf_counter()
        done = 0
        for item in iterable:
            waited.update(time.perf_counter() - last)
            yield item
            took.update(time.perf_counter() - last)
            done += 1
            if (done - 1) % max(print_freq, 1) == 0 or done == total:
                self._log_progress(title, done, total, took, waited)
            last = time.perf_counter()
        elapsed_s = time.perf_counter() - start
        per_item = f" ({elapsed_s / done:.4f} s / it)" if done else ""
        logger.info("%s Total time: %s%s", title, timedelta(seconds=int(elapsed_s)), per_item)

    def _log_progress(
        self, title: str, done: int, total: int | None, took: SmoothedValue, waited: SmoothedValue
    ) -> None:
        place = f"[{done - 1}]" if total is None else f"[{done - 1:{len(str(total))}d}/{total}]"
        parts = [f"{title} {place}".strip()]
        if total is not None:
            parts.append(f"eta: {timedelta(seconds=int(took.global_avg * (total - done)))}")
        if self.meters:
            parts.append(str(self))
        parts += [f"time: {took}", f"data: {waited}"]
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            parts.append(f"max mem: {torch.cuda.max_memory_allocated() / 2**20:.0f} MiB")
        logger.info("%s", self.delimiter.join(parts))


class AttrDict(dict[str, Any]):
    """A dict whose keys are also attributes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__dict__ = self


def setup_logger() -> None:
    """Send the log to stderr, secrets hidden: INFO on rank 0, warnings elsewhere. A second call only sets the level."""
    root = logging.getLogger()
    root.setLevel(logging.INFO if is_main_process() else logging.WARNING)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    if any(handler.get_name() == HANDLER_NAME for handler in root.handlers):
        return
    for plain in [one for one in root.handlers if type(one) is logging.StreamHandler and one.stream is sys.stderr]:
        root.removeHandler(plain)  # a command's own, which would say every line twice
    handler = logging.StreamHandler()
    handler.set_name(HANDLER_NAME)
    handler.setFormatter(RedactingFormatter("%(asctime)s [%(levelname)s] %(message)s"))
    root.addHandler(handler)
