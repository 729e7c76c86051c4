"""The journal keeps what was finished, whatever ends the process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lavis.common.errors import JournalError
from lavis.store import Journal, JournalReader


def record(number: int) -> dict[str, object]:
    return {"key": f"test:{number}", "answer": {"text": "é" * number}}


def test_what_was_appended_is_read_in_the_order_asked_for(tmp_path: Path) -> None:
    for rank in (0, 1):
        journal = Journal(tmp_path, rank)
        for number in range(rank, 10, 2):
            journal.append(record(number))
        journal.close()

    reader = JournalReader(tmp_path)

    assert len(reader) == 10
    assert "test:3" in reader
    assert "test:10" not in reader
    assert list(reader.records([f"test:{number}" for number in (7, 0, 3)])) == [record(7), record(0), record(3)]


def test_a_torn_last_line_is_ignored_when_read_and_cut_when_opened(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 0)
    journal.append(record(1))
    journal.close()
    whole = journal.path.read_bytes()
    torn = json.dumps(record(2)).encode()[:-9]
    journal.path.write_bytes(whole + torn)

    reader = JournalReader(tmp_path)
    assert len(reader) == 1
    assert "test:1" in reader
    again = Journal(tmp_path, 0)
    again.append(record(2))
    again.close()

    assert list(JournalReader(tmp_path).records(["test:1", "test:2"])) == [record(1), record(2)]


@pytest.mark.parametrize("tail_bytes", [1, 65535, 65536, 65537, 200_000])
def test_a_torn_line_of_any_length_is_cut_at_its_start(tmp_path: Path, tail_bytes: int) -> None:
    path = tmp_path / "rank0.jsonl"
    whole = b'{"key": "test:1"}\n'
    path.write_bytes(whole + b"x" * tail_bytes)
    Journal(tmp_path, 0).close()
    assert path.read_bytes() == whole


def test_a_journal_that_holds_only_a_torn_line_starts_empty(tmp_path: Path) -> None:
    (tmp_path / "rank0.jsonl").write_bytes(b'{"key": "te')
    Journal(tmp_path, 0).close()
    assert (tmp_path / "rank0.jsonl").read_bytes() == b""


def test_a_whole_line_that_is_not_json_names_file_line_and_way_out(tmp_path: Path) -> None:
    (tmp_path / "rank0.jsonl").write_bytes(b'{"key": "test:1"}\nnot json\n')
    with pytest.raises(JournalError, match=r"rank0\.jsonl, line 2.*run\.run_id"):
        JournalReader(tmp_path)


def test_the_first_of_two_answers_to_one_question_counts(tmp_path: Path) -> None:
    for rank, text in ((0, "first"), (1, "second")):
        journal = Journal(tmp_path, rank)
        journal.append({"key": "test:1", "answer": text})
        journal.close()
    assert next(JournalReader(tmp_path).records(["test:1"]))["answer"] == "first"


def test_a_question_in_no_journal_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="test:9"):
        list(JournalReader(tmp_path).records(["test:9"]))


FULL_DISK = """
import resource, sys
from pathlib import Path
from lavis.common.errors import JournalError
from lavis.store import Journal
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
journal = Journal(Path(sys.argv[1]), 0)
for number in range(100):
    try:
        journal.append({"key": f"test:{number}", "answer": "x" * 900})
    except JournalError as error:
        print(number, error)
        try:
            journal.append({"key": "test:after", "answer": ""})
        except JournalError:
            sys.exit(7)
"""


def test_no_space_is_a_clear_error_and_what_was_finished_is_kept(tmp_path: Path, repo_root: Path) -> None:
    """The kernel refuses to let the file grow beyond 5,000 bytes."""
    ran = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], cwd=repo_root, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 7, ran.stderr
    assert "run.run_id" in ran.stdout
    failed_at = int(ran.stdout.split()[0])
    assert len(JournalReader(tmp_path)) == failed_at == 5
    Journal(tmp_path, 0).close()
    assert (tmp_path / "rank0.jsonl").read_bytes().endswith(b"\n")


ENDLESS = """
import sys
from pathlib import Path
from lavis.store import Journal
journal = Journal(Path(sys.argv[1]), 0)
number = 0
while True:
    journal.append({"key": f"test:{number}", "answer": "x" * 5000})
    number += 1
    print(number, flush=True)
"""


def test_every_line_acknowledged_before_a_kill_is_there(tmp_path: Path, repo_root: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(tmp_path)], cwd=repo_root, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGKILL)
    lines = process.stdout.read().split()
    process.wait()
    acknowledged = int(lines[-1]) if lines else 1
    assert len(JournalReader(tmp_path)) >= acknowledged > 3
