"""Shards that a command writes (``pipe:curl …``): fetched once into the cache, whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import selectors
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from lavis.common.errors import ConfigError, ModalityError
from lavis.common.paths import cache_root
from lavis.datasets.loaders.shards.tar import read_members

CHUNK_BYTES = 1 << 20
# A command that writes nothing for so long is taken for hung.
IDLE_S = 600.0
END_S = 30.0
STDERR_CHARS = 500
SHELL_WORDS = frozenset({"|", "||", "&", "&&", ";", "<", ">", ">>", "2>", "2>&1"})

logger = logging.getLogger(__name__)


def fetched(command: str) -> Path:
    """Return the shard that a command writes to its output; it runs once, then the copy in the cache serves.

    The copy (``shards/pipes`` in the cache) stays until it is deleted, even if the command would write
    something else by then. The command runs without a shell in the folder of this process.

    Args:
        command: program and arguments, ``cat shard-000.tar``.

    Raises:
        ConfigError: no command, or one that only a shell could run.
        ModalityError: it cannot be started, fails, writes nothing for 10 minutes, or writes no whole tar.
    """
    words = _words(command)
    key = hashlib.sha256(f"{command}\0{os.getcwd()}".encode()).hexdigest()
    shard = cache_root() / "shards" / "pipes" / f"{key}.tar"
    if shard.is_file():
        return shard
    shard.parent.mkdir(parents=True, exist_ok=True)
    with _alone(shard.with_suffix(".lock")):
        if not shard.is_file():
            logger.info("pipe:%s is read into %s once.", command, shard)
            _fetch(words, command, shard)
    return shard


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"pipe:{command}: cannot be split into words ({error}).") from error
    if not words:
        raise ConfigError("pipe: names no command; write pipe:cat shard.tar.")
    shell = sorted(SHELL_WORDS & set(words))
    if shell:
        raise ConfigError(
            f"pipe:{command}: {' '.join(shell)} needs a shell, and none is used; put the command into a script."
        )
    return words


def _fetch(words: list[str], command: str, shard: Path) -> None:
    handle, partial = tempfile.mkstemp(dir=shard.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file, tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
                )
            except OSError as error:
                raise ModalityError(f"pipe:{command} cannot be started: {error}.") from error
            try:
                in_time = _copy(process, file)
                code = process.wait(END_S) if in_time else None
            except subprocess.TimeoutExpired:
                code = None
            finally:
                process.kill()
                process.wait()
                if process.stdout is not None:
                    process.stdout.close()
            if code != 0:
                end = f"ended with code {code}" if code is not None else f"wrote nothing for {IDLE_S:g} s"
                raise ModalityError(f"pipe:{command} {end}: {_tail(errors) or 'it said nothing'}.")
        for _ in read_members(Path(partial)):  # an error here names what is wrong before the shard gets its name
            pass
        os.replace(partial, shard)
    except ModalityError as error:
        raise ModalityError(str(error).replace(f"shard {partial}", f"shard pipe:{command}")) from error
    finally:
        Path(partial).unlink(missing_ok=True)


def _copy(process: subprocess.Popen[bytes], file: IO[bytes]) -> bool:
    """Copy the output to its end; False where none comes for too long."""
    output = process.stdout
    if output is None:
        return False
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while selector.select(IDLE_S):
            chunk = os.read(output.fileno(), CHUNK_BYTES)
            if not chunk:
                return True
            file.write(chunk)
    return False


def _tail(errors: IO[bytes]) -> str:
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - STDERR_CHARS))
    return " ".join(errors.read().decode("utf-8", "replace").split())


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Let one process of this machine through at a time."""
    with lock.open("w") as file:
        # A file system without locks lets all through: then each fetches for itself, which does no harm.
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
