"""Evidence and completions: found again exactly when nothing that decides them has changed."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from lavis.datasets.question import Media, Pose, Question
from lavis.experts import Evidence, Expert, ExpertCard
from lavis.reasoners.base import Completion, Prompt, Usage
from lavis.store import CompletionCache, EvidenceStore
from lavis.store.entry_files import EntryFiles


class Plain(Expert):
    card = ExpertCard(name="plain", modality="captions", skill="A1", summary="tells", version="1")

    def write(self, loaded: Any) -> str:
        return str(loaded)


class Posed(Plain):
    card = ExpertCard(name="stored_posed", modality="captions", skill="A1", summary="s", version="1", needs=("pose",))


class Aware(Plain):
    card = ExpertCard(name="asks", modality="captions", skill="A1", summary="s", version="1", question_aware=True)


class Newer(Plain):
    pass


Newer.card = dataclasses.replace(Plain.card, version="2")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "captions.json"
    path.write_text("{}")
    return path


def question(source: Path, text: str = "What is it?", **side: Any) -> Question:
    return Question("1", text, Media("scene", {"captions": source}, side))


def test_evidence_comes_back_equal(tmp_path: Path, source: Path) -> None:
    store = EvidenceStore(tmp_path / "store")
    evidence = Evidence("plain", "scene", "a chär\n", "1", span_s=(0.0, 2.5), confidence=0.5, latency_s=0.25)
    key = store.key(Plain(), {}, {}, question(source))
    assert store.get(key) is None
    store.put(key, evidence)
    assert EvidenceStore(tmp_path / "store").get(key) == evidence


def test_a_failure_is_never_kept(tmp_path: Path, source: Path) -> None:
    store = EvidenceStore(tmp_path / "store")
    key = store.key(Plain(), {}, {}, question(source))
    store.put(key, Evidence("plain", "scene", "", "1", error="unreadable"))
    assert store.get(key) is None


def test_the_key_follows_what_the_text_depends_on_and_nothing_else(tmp_path: Path, source: Path) -> None:
    store = EvidenceStore(tmp_path)
    here, there = Pose((0.0, 0.0, 0.0), (1.0, 0.0)), Pose((1.0, 0.0, 0.0), (1.0, 0.0))
    base = store.key(Plain(), {}, {"n_frames": 8}, question(source))

    same = [
        store.key(Plain(), {}, {"n_frames": 8}, question(source, "Another?")),
        store.key(Plain(), {}, {"n_frames": 8}, question(source, pose=there)),
    ]
    other = [
        store.key(Newer(), {}, {"n_frames": 8}, question(source)),
        store.key(Plain(), {"tolerance_deg": 5}, {"n_frames": 8}, question(source)),
        store.key(Plain(), {}, {"n_frames": 4}, question(source)),
        store.key(Posed(), {}, {"n_frames": 8}, question(source, pose=here)),
        store.key(Posed(), {}, {"n_frames": 8}, question(source, pose=there)),
        store.key(Aware(), {}, {"n_frames": 8}, question(source, "What?")),
        store.key(Aware(), {}, {"n_frames": 8}, question(source, "Who?")),
    ]
    assert set(same) == {base}
    assert len({base, *other}) == 8


def test_a_changed_file_is_another_key(tmp_path: Path, source: Path) -> None:
    before = EvidenceStore(tmp_path).key(Plain(), {}, {}, question(source))
    source.write_text('{"scene": []}')
    os.utime(source, ns=(1, 1))
    assert EvidenceStore(tmp_path).key(Plain(), {}, {}, question(source)) != before


def test_a_folder_s_fingerprint_follows_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    media = Media("scene", {"frame": folder})
    absent = media.fingerprint("frame")
    folder.mkdir()
    (folder / "1.png").write_bytes(b"x")
    one = media.fingerprint("frame")
    (folder / "2.png").write_bytes(b"x")
    assert len({absent, one, media.fingerprint("frame")}) == 3


@pytest.mark.parametrize("damage", [b"", b"{", b'{"sha256": "0", "entry": {"a": 1}}', b"[]", b"\xff\xfe"])
def test_a_damaged_entry_counts_as_absent(tmp_path: Path, damage: bytes) -> None:
    entries = EntryFiles(tmp_path)
    entries.put("abcd", {"a": 1})
    assert entries.get("abcd") == {"a": 1}
    Path(entries.path("abcd")).write_bytes(damage)
    assert entries.get("abcd") is None
    entries.put("abcd", {"a": 1})
    assert entries.get("abcd") == {"a": 1}


def _hammer(root: Path) -> None:
    entries = EntryFiles(root)
    for number in range(200):
        entries.put(f"{number % 5:04d}", {"text": "x" * 10_000})
        assert entries.get(f"{number % 5:04d}") == {"text": "x" * 10_000}


def test_processes_that_write_one_key_are_harmless(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_hammer, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(list(tmp_path.rglob("*"))) == 5 + len({f"{number:04d}"[:2] for number in range(5)})


def test_a_completion_is_found_under_another_run_s_marker_and_never_when_empty(tmp_path: Path) -> None:
    cache = CompletionCache(tmp_path)
    completion = Completion("two", Usage(10, 2, 4, 0.5), "model", 0.1, reasoning="because", attempts=2)

    def prompt(marker: str, own: str = "Question: how many?") -> Prompt:
        return Prompt("be brief", f"<evidence {marker}>two chairs</evidence {marker}>", own)

    identity = {"model": "model", "temperature": 0}
    cache.put(cache.key(identity, prompt("aaaa"), "aaaa"), completion)

    # Prices may change between two runs: what it cost is decided anew.
    kept = dataclasses.replace(completion, usage=dataclasses.replace(completion.usage, usd=None))
    assert cache.get(cache.key(identity, prompt("bbbb"), "bbbb")) == kept
    assert cache.get(cache.key(identity, prompt("aaaa", "Question: who?"), "aaaa")) is None
    assert cache.get(cache.key({"model": "other", "temperature": 0}, prompt("aaaa"), "aaaa")) is None
    empty = cache.key(identity, prompt("aaaa", "Question: empty?"), "aaaa")
    cache.put(empty, Completion("  ", Usage(), "model", 0.1))
    assert cache.get(empty) is None
