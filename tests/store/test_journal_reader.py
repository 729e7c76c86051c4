"""Which lines of the journals count, found by key without holding them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lavis.common.errors import JournalError
from lavis.store import Journal, JournalReader, journal_reader


def record(number: object, status: str = "answered", *, usd: float | None = None, **more: Any) -> dict[str, Any]:
    return {"key": f"test:{number}", "status": status, "tokens": 10, "usd": usd, **more}


def write(folder: Path, *records: dict[str, Any], rank: int = 0) -> None:
    journal = Journal(folder, rank)
    for one in records:
        journal.append(one)
    journal.close()


def keys(*numbers: object) -> list[str]:
    return [f"test:{number}" for number in numbers]


def test_an_empty_folder_and_an_empty_journal_leave_everything_to_be_asked(tmp_path: Path) -> None:
    for _ in range(2):
        reader = JournalReader(tmp_path)
        assert (len(reader), reader.tokens, reader.usd) == (0, 0, 0.0)
        assert "test:1" not in reader
        assert list(reader.unfinished(keys(1, 2), failed_too=True)) == [True, True]
        (tmp_path / "rank0.jsonl").write_bytes(b"")


def test_a_question_that_failed_is_left_to_be_asked_unless_failures_are_kept(tmp_path: Path) -> None:
    write(tmp_path, record(1), record(2, "failed"), record(3, "unparsed"))
    reader = JournalReader(tmp_path)
    assert [reader.failed(key) for key in keys(1, 2, 3, 4)] == [False, True, False, False]
    assert list(reader.unfinished(keys(4, 3, 2, 1), failed_too=True)) == [True, False, True, False]
    assert list(reader.unfinished(keys(4, 3, 2, 1), failed_too=False)) == [True, False, False, False]
    assert list(reader.unfinished([], failed_too=True)) == []


@pytest.mark.parametrize(
    ("lines", "counts"),
    [
        ([("failed", "a"), ("answered", "b")], "b"),
        ([("answered", "a"), ("failed", "b")], "a"),
        ([("failed", "a"), ("failed", "b")], "b"),
        ([("answered", "a"), ("answered", "b")], "a"),
        ([("failed", "a"), ("unparsed", "b"), ("answered", "c")], "b"),
        ([("failed", "a"), ("failed", "b"), ("answered", "c"), ("failed", "d")], "c"),
    ],
)
@pytest.mark.parametrize("n_ranks", [1, 3])
def test_the_first_line_that_did_not_fail_counts_or_else_the_last(
    tmp_path: Path, lines: list[tuple[str, str]], counts: str, n_ranks: int
) -> None:
    """One after another in one journal, or one a rank; between other questions, so that order has to be kept."""
    for number, (status, text) in enumerate(lines):
        rank = number % n_ranks if len(lines) <= n_ranks else 0
        write(tmp_path, record(number + 100), record(1, status, answer=text), record(number + 200), rank=rank)
    reader = JournalReader(tmp_path)
    assert next(reader.records(keys(1)))["answer"] == counts
    assert len(reader) == 2 * len(lines) + 1
    assert reader.failed("test:1") == all(status == "failed" for status, _ in lines)


def test_tokens_and_usd_are_those_of_every_line_since_all_were_paid_for(tmp_path: Path) -> None:
    write(tmp_path, record(1, "failed", usd=0.25), record(1, usd=0.5), record(2))
    write(tmp_path, record(3, usd=1e-05), rank=1)
    reader = JournalReader(tmp_path)
    assert reader.tokens == 40
    assert reader.usd == pytest.approx(0.75001)


def test_ranks_are_ordered_by_number_not_by_letter(tmp_path: Path) -> None:
    for rank in (10, 2):
        write(tmp_path, record(1, answer=f"rank {rank}"), rank=rank)
    assert next(JournalReader(tmp_path).records(keys(1)))["answer"] == "rank 2"


@pytest.mark.parametrize(
    "name",
    ['with "quotes"', "back\\slash", "line\nbreak", "é – 日本 🙂", "tab\t", '", "status": "failed', "a" * 5000, ""],
)
def test_any_question_id_is_found_again(tmp_path: Path, name: str) -> None:
    write(tmp_path, record(name, "answered", answer="right"), record("other", "failed"))
    reader = JournalReader(tmp_path)
    assert f"test:{name}" in reader
    assert not reader.failed(f"test:{name}")
    assert list(reader.unfinished(keys(name, "other", "third"), failed_too=True)) == [False, True, True]
    assert [found["answer"] for found in reader.records(keys(name))] == ["right"]


def test_a_line_without_the_opening_fields_is_read_all_the_same(tmp_path: Path) -> None:
    """What an earlier version wrote, or another program: the same record, in another order."""
    other = {"answer": {"text": "x"}, "status": "failed", "key": "test:1"}
    (tmp_path / "rank0.jsonl").write_text(json.dumps(other) + "\n" + '{"key":"test:2","status":"answered"}\n')
    reader = JournalReader(tmp_path)
    assert (reader.failed("test:1"), reader.failed("test:2")) == (True, False)
    assert list(reader.records(keys(1))) == [other]


@pytest.mark.parametrize(
    "line", ["[]", "7", '{"status": "answered"}', '{"key": "test:1", "status": "answered", "tokens": 3, "usd": null, ']
)
def test_a_whole_line_that_is_no_record_names_its_place_and_the_way_out(tmp_path: Path, line: str) -> None:
    write(tmp_path, record(0))
    with open(tmp_path / "rank0.jsonl", "a") as file:
        file.write(line + "\n")
    with pytest.raises(JournalError, match=r"rank0\.jsonl, line 2: .*Remove that line"):
        JournalReader(tmp_path)


def test_a_record_damaged_behind_its_opening_is_found_out_when_it_is_read(tmp_path: Path) -> None:
    write(tmp_path, record(1, answer="x" * 50), record(2))
    path = tmp_path / "rank0.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"xxx', b'"x"x', 1))
    reader = JournalReader(tmp_path)
    assert list(reader.records(keys(2))) == [record(2)]
    with pytest.raises(JournalError, match=r"rank0\.jsonl, byte 0"):
        list(reader.records(keys(1)))


def test_what_is_being_written_meanwhile_does_not_count_yet(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 0)
    journal.append(record(1))
    reader = JournalReader(tmp_path)
    journal.append(record(2))
    journal.close()
    assert list(reader.unfinished(keys(1, 2), failed_too=True)) == [False, True]


def test_twenty_thousand_keys_are_told_apart_and_each_is_found(tmp_path: Path) -> None:
    """Every third failed, every fifth was asked twice; the keys of another split are close by, and none of them is."""
    n = 20_000
    lines = [record(k, "failed" if k % 3 == 0 else "answered", answer=k) for k in range(n)]
    lines += [record(k, "answered", answer=-k) for k in range(0, n, 5)]
    half = len(lines) // 2
    for rank, part in enumerate((lines[:half], lines[half:])):
        (tmp_path / f"rank{rank}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in part))
    reader = JournalReader(tmp_path)

    assert len(reader) == n
    asked = keys(*range(2 * n))
    left = reader.unfinished(asked, failed_too=True)
    expected = [k >= n or (k % 3 == 0 and k % 5 != 0) for k in range(2 * n)]
    assert np.array_equal(left, np.array(expected))
    assert all(f"test:{k}" in reader for k in range(n))
    assert not any(f"train:{k}" in reader for k in range(n))
    backwards = list(reversed(range(n)))
    found = [one["answer"] for one in reader.records(keys(*backwards))]
    assert found == [-k if k % 15 == 0 else k for k in backwards]


def test_two_keys_of_one_hash_are_never_confused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """64 bits make it unlikely; 8 bits make it happen. What stands on the line decides."""
    whole = journal_reader._hash
    monkeypatch.setattr(journal_reader, "_hash", lambda key: whole(key) & 0xFF)
    write(tmp_path, *(record(k) for k in range(300)))
    reader = JournalReader(tmp_path)
    with pytest.raises(JournalError, match=r"stands where 'test:\d+' was expected"):
        list(reader.records(keys(*range(300))))


def test_its_files_are_closed_when_reading_ends_early(tmp_path: Path) -> None:
    write(tmp_path, record(1), record(2))

    def open_files() -> int:
        links = (f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd"))
        return sum(os.path.exists(link) and os.path.samefile(link, tmp_path / "rank0.jsonl") for link in links)

    reading = JournalReader(tmp_path).records(keys(1, 2))
    next(reading)
    assert open_files() == 1
    reading.close()
    assert open_files() == 0
