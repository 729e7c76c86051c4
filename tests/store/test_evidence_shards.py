"""Evidence carried in tar files: written whole, found by a key that travels, readable by webdataset itself."""

from __future__ import annotations

import logging
import os
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest
import webdataset

from lavis.common.errors import ConfigError
from lavis.datasets.question import Media, Question
from lavis.experts import Evidence, Expert, ExpertCard
from lavis.store import EvidenceShards, EvidenceStore, evidence_shards
from lavis.store.entry_files import digest
from lavis.store.evidence_shards import write_shards

ENTRIES = [(digest(number), {"text": f"evidence é {number}", "number": number}) for number in range(50)]


class Plain(Expert):
    card = ExpertCard(name="packed", modality="captions", skill="A1", summary="tells", version="1")

    def write(self, loaded: Any) -> str:
        return str(loaded)


def question(path: Path) -> Question:
    return Question("1", "What?", Media("scene", {"captions": path}))


def test_what_was_packed_is_found_by_its_key(tmp_path: Path) -> None:
    written = write_shards(tmp_path, "test", ENTRIES)
    assert [path.name for path in written] == ["test-000000.tar"]
    assert [path.name for path in tmp_path.iterdir()] == ["test-000000.tar"]
    shards = EvidenceShards(tmp_path)
    assert len(shards) == 50
    assert [shards.get(key) for key, _ in ENTRIES] == [entry for _, entry in ENTRIES]
    assert shards.get(digest("another")) is None
    shards.close()
    assert shards.get(ENTRIES[7][0]) == ENTRIES[7][1], "it opens again what was closed"
    shards.close()


def test_shards_of_a_size_are_read_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_shards, "SHARD_BYTES", 2_000)
    written = write_shards(tmp_path, "test", ENTRIES)
    assert len(written) > 3
    shards = EvidenceShards(tmp_path)
    assert [shards.get(key) for key, _ in ENTRIES] == [entry for _, entry in ENTRIES]
    shards.close()


def test_webdataset_reads_them_as_any_of_its_own(tmp_path: Path) -> None:
    (path,) = write_shards(tmp_path, "test", ENTRIES)
    samples = list(webdataset.WebDataset(str(path), shardshuffle=False).decode())
    assert [(sample["__key__"], sample["json"]["entry"]) for sample in samples] == ENTRIES


def test_what_webdataset_writes_can_be_read(tmp_path: Path) -> None:
    with webdataset.TarWriter(str(tmp_path / "own.tar")) as sink:
        for key, entry in ENTRIES[:3]:
            wrapped = {"sha256": digest(entry), "entry": entry}
            sink.write({"__key__": key, "json": wrapped, "txt": "beside it"})
    shards = EvidenceShards(tmp_path)
    assert len(shards) == 3
    assert [shards.get(key) for key, _ in ENTRIES[:3]] == [entry for _, entry in ENTRIES[:3]]
    shards.close()


@pytest.mark.parametrize("damage", [b"[]", b"null", b"{}", b"no json", b"\xff\xfe", b'{"sha256": "0", "entry": {}}'])
def test_a_damaged_entry_counts_as_absent_and_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    (path,) = write_shards(tmp_path, "test", ENTRIES[:2])
    with tarfile.open(path) as tar:
        member = tar.getmember(f"{ENTRIES[0][0]}.json")
    data = bytearray(path.read_bytes())
    data[member.offset_data : member.offset_data + member.size] = damage.ljust(member.size)
    path.write_bytes(data)

    shards = EvidenceShards(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert shards.get(ENTRIES[0][0]) is None
    assert ENTRIES[0][0] in caplog.text
    assert shards.get(ENTRIES[1][0]) == ENTRIES[1][1]
    shards.close()


def test_a_folder_without_shards_and_a_torn_shard_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no \.tar file; lavis precompute --shards"):
        EvidenceShards(tmp_path)
    with pytest.raises(ConfigError, match=r"holds no \.tar file"):
        EvidenceShards(tmp_path / "absent")
    (tmp_path / "torn.tar").write_bytes(b"no tar at all" * 100)
    with pytest.raises(ConfigError, match=r"torn\.tar is no whole tar file"):
        EvidenceShards(tmp_path)


def test_a_shard_that_was_cut_while_it_was_copied_is_refused(tmp_path: Path) -> None:
    (path,) = write_shards(tmp_path, "test", ENTRIES)
    path.write_bytes(path.read_bytes()[:20_300])
    with pytest.raises(ConfigError, match=r"is no whole tar file"):
        EvidenceShards(tmp_path)


def test_a_writer_that_is_stopped_leaves_no_shard_and_its_remains_go_with_the_next_one(tmp_path: Path) -> None:
    def broken() -> Any:
        yield from ENTRIES[:5]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shards(tmp_path, "test", broken())
    assert list(tmp_path.glob("*.tar")) == []
    write_shards(tmp_path, "test", ENTRIES)
    assert [path.name for path in tmp_path.iterdir()] == ["test-000000.tar"]


def test_several_threads_read_one_shard(tmp_path: Path) -> None:
    write_shards(tmp_path, "test", ENTRIES)
    shards = EvidenceShards(tmp_path)
    wrong: list[str] = []

    def read() -> None:
        for _ in range(20):
            wrong.extend(key for key, entry in ENTRIES if shards.get(key) != entry)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shards.close()
    assert wrong == []


def test_the_portable_key_is_that_of_the_same_medium_on_another_machine(tmp_path: Path) -> None:
    """Files are copied with another time and to another place; what the text depends on stays the same."""
    paths = [tmp_path / "here" / "texts.json", tmp_path / "there" / "texts.json"]
    keys = []
    for path, modified_s in zip(paths, (1, 1000), strict=True):
        path.parent.mkdir()
        path.write_text("{}")
        os.utime(path, (modified_s, modified_s))
        keys.append(EvidenceStore(tmp_path / "store").key(Plain(), {}, {}, question(path)))
    assert keys[0].portable == keys[1].portable
    assert keys[0].local != keys[1].local
    changed = EvidenceStore(tmp_path / "store").key(Plain(), {"option": 1}, {}, question(paths[0]))
    assert changed.portable != keys[0].portable


def test_a_store_looks_into_shards_where_its_own_folder_has_nothing(tmp_path: Path) -> None:
    source = tmp_path / "texts.json"
    source.write_text("{}")
    here = EvidenceStore(tmp_path / "here")
    key = here.key(Plain(), {}, {}, question(source))
    carried = Evidence("plain", "scene", "carried", "1")
    write_shards(tmp_path / "shards", "test", [(key.portable, carried.to_json())])

    os.utime(source, (1, 1))
    there = EvidenceStore(tmp_path / "there", EvidenceShards(tmp_path / "shards"))
    its_key = there.key(Plain(), {}, {}, question(source))
    assert its_key != key
    assert there.get(its_key) == carried
    assert not (tmp_path / "there").exists(), "what shards hold is not kept a second time"

    fresh = EvidenceStore(tmp_path / "there", EvidenceShards(tmp_path / "shards"))
    own = Evidence("plain", "scene", "looked at here", "1")
    fresh.put(its_key, own)
    again = EvidenceStore(tmp_path / "there", EvidenceShards(tmp_path / "shards"))
    assert again.get(its_key) == own, "what was looked at here goes before what was carried"
