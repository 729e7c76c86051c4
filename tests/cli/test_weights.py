"""`lavis weights`, over a listing whose files are on this disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import yaml

from lavis.cli.main import main


@pytest.fixture
def listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two files: one that is where it should be, one whose only source has other bytes."""
    monkeypatch.setenv("LAVIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LAVIS_WEIGHTS_DIR", raising=False)
    source = tmp_path / "source.bin"
    source.write_bytes(b"twelve bytes")
    entry = {"file": "net.bin", "bytes": 12, "licence": "CC0-1.0", "sources": [{"path": str(source)}]}
    good = {**entry, "sha256": hashlib.sha256(b"twelve bytes").hexdigest()}
    bad = {**entry, "sha256": hashlib.sha256(b"other bytes!").hexdigest()}
    path = tmp_path / "listing.yaml"
    path.write_text(yaml.safe_dump({"good": good, "bad": bad}, sort_keys=False))
    return str(path)


def test_fetch_list_verify_in_turn(listing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "--listing", listing, "list", "good"]) == 0
    assert "absent" in capsys.readouterr().out

    assert main(["weights", "--listing", listing, "fetch", "good"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == tmp_path / "cache" / "weights" / "good" / "net.bin"
    assert path.read_bytes() == b"twelve bytes"

    assert main(["weights", "--listing", listing, "list"]) == 0
    states = {line.split()[0]: line.split()[3] for line in capsys.readouterr().out.splitlines()}
    assert states == {"good": "verified", "bad": "absent"}

    assert main(["weights", "--listing", listing, "verify"]) == 0
    assert "good: the listed file" in capsys.readouterr().out

    path.write_bytes(b"twelve bytez")
    assert main(["weights", "--listing", listing, "verify"]) == 1
    assert "lavis weights fetch good" in capsys.readouterr().err


def test_fetch_all_fetches_what_it_can_and_tells_of_the_rest(listing: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "--listing", listing, "fetch", "--all"]) == 1

    out, err = capsys.readouterr()
    assert out.strip().endswith("net.bin")
    assert "No source has weights 'bad'" in err


@pytest.mark.parametrize("arguments", [["fetch"], ["fetch", "good", "--all"]])
def test_fetch_wants_names_or_all(listing: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "--listing", listing, *arguments]) == 1
    assert "good, bad" in capsys.readouterr().err


def test_an_unlisted_name_stops_before_anything_is_fetched(
    listing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "--listing", listing, "fetch", "good", "god"]) == 1

    assert "Did you mean 'good'?" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()
