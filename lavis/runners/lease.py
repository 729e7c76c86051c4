"""One start of a run at a time: a file that the running one renews, and that a second start finds.

No lock: file locks are what shared file systems break. The file is made exclusively, which they keep.
Whether another start is alive is seen from its process where it is on this machine, and elsewhere
from whether it goes on renewing the file, which no clock that differs or was set back can disturb.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from pathlib import Path
from typing import Any

from lavis.common.errors import ConfigError

RENEW_S = 5.0
# A start that does not renew its file for this long is dead.
PATIENCE_S = 4 * RENEW_S


class Lease:
    """Holds a run folder for this start, until it is given back.

    Args:
        path: of the file.

    Raises:
        ConfigError: another start of the run is alive; says where.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._token = secrets.token_hex(8)
        self._ended = threading.Event()
        while not self._make():
            self._wait_for_death()
        self._renewer = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._renewer.start()

    def give_back(self) -> None:
        """Remove the file, if it is still this start's."""
        self._ended.set()
        self._renewer.join()
        if _read(self.path).get("token") == self._token:
            self.path.unlink(missing_ok=True)

    def _make(self) -> bool:
        owner = {"host": socket.gethostname(), "pid": os.getpid(), "born": _born(os.getpid()), "token": self._token}
        try:
            with open(self.path, "x", encoding="utf-8") as file:
                file.write(json.dumps(owner))
        except FileExistsError:
            return False
        return True

    def _wait_for_death(self) -> None:
        """Return once the file's owner is dead and its file is out of the way.

        Raises:
            ConfigError: the owner is alive.
        """
        seen, since = renewed_at(self.path), time.monotonic()
        while self.path.exists():
            owner = _read(self.path)
            here = owner.get("host") == socket.gethostname()
            alive = here and owner["born"] == _born(owner["pid"])
            if alive or (not here and renewed_at(self.path) != seen):
                raise ConfigError(
                    f"{self.path.parent} is being run just now by process {owner.get('pid')} on {owner.get('host')}. "
                    "Wait for it, stop it, or choose another run.run_id."
                )
            waited_s = time.monotonic() - since
            if (here or waited_s > PATIENCE_S) and self._clear_away(owner, waited_s):
                return
            time.sleep(0.01 if here else RENEW_S / 10)

    def _clear_away(self, dead: dict[str, Any], waited_s: float) -> bool:
        """Remove a dead start's file, unless another start is about to.

        Whoever makes the claim, exclusively, may remove the file, if it still is the dead one's: so a
        start that was slow to find the death never removes the file of the one that was quicker.
        """
        claim = self.path.with_name(f".{self.path.name}.{dead.get('token', 'unread')}")
        try:
            claim.touch(exist_ok=False)
        except FileExistsError:
            if waited_s > PATIENCE_S:  # its maker died between two lines
                claim.unlink(missing_ok=True)
            return False
        try:
            if _read(self.path).get("token") == dead.get("token"):
                self.path.unlink(missing_ok=True)
        finally:
            claim.unlink(missing_ok=True)
        return True

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_S):
            try:
                os.utime(self.path)
            except OSError:  # the folder is gone or full: the journal will say so
                continue


def _read(path: Path) -> dict[str, Any]:
    try:
        owner: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # just being written, or just given back
        return {}
    return owner


def renewed_at(path: Path) -> int:
    """Return when a file was renewed last, in ns of its file system's clock; 0 where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _born(pid: int) -> str:
    """Return when a process of this machine was started, in the kernel's ticks; empty where there is none.

    A number that a dead process had may belong to another one by now; the two were born at different times.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return _alive_elsewhere(pid)
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]


def _alive_elsewhere(pid: int) -> str:
    """Do without /proc: say that a process is alive, if not since when."""
    if Path("/proc/self/stat").exists():
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:  # somebody else's, and alive
        pass
    return "alive"
