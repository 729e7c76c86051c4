"""A line that says how far a long work is: renewed in place on a terminal, once a minute in a batch log."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

TERMINAL_EVERY_S = 0.5
LOG_EVERY_S = 60.0


class StatusLine:
    """Shows one line after another.

    Args:
        logger: takes the lines where the stream is no terminal, and the last one always.
        stream: where a line is shown if it is a terminal; stderr by default.

    Attributes:
        on_terminal: whether lines are renewed in place.
    """

    def __init__(self, logger: logging.Logger, stream: TextIO | None = None) -> None:
        self._logger = logger
        self._stream = stream or sys.stderr
        self.on_terminal = self._stream.isatty()

    @property
    def every_s(self) -> float:
        """How often a line is due, in s."""
        return TERMINAL_EVERY_S if self.on_terminal else LOG_EVERY_S

    def show(self, line: str) -> None:
        """Show a line in place of the last one."""
        if self.on_terminal:
            self._stream.write(f"\r\033[K{line}")
            self._stream.flush()
        else:
            self._logger.info(line)

    def close(self, line: str) -> None:
        """Take the shown line away and log the last state."""
        if self.on_terminal:
            self._stream.write("\r\033[K")
            self._stream.flush()
        self._logger.info(line)
