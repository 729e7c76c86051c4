"""Annotation files are real files in every format, and in every broken form that was met."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lavis.common.errors import AnnotationError
from lavis.datasets.datasets import BaseDataset, ConcatDataset


def write(path: Path, content: object) -> str:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def test_lists_are_joined_and_numbered_across_files(tmp_path: Path) -> None:
    a = write(tmp_path / "a.json", [{"q": "é"}, {"q": "b"}])
    b = write(tmp_path / "b.jsonl", '{"q": "c\u2028d"}\n\n{"q": "e"}\n')

    dataset = BaseDataset(ann_paths=[a, b])

    assert [record["q"] for record in dataset.annotation] == ["é", "b", "c\u2028d", "e"]
    assert [record["instance_id"] for record in dataset.annotation] == ["0", "1", "2", "3"]
    assert len(dataset) == 4


def test_tables_keep_leading_zeros_quotes_and_line_breaks(tmp_path: Path) -> None:
    a = write(tmp_path / "a.csv", 'video_id,text\n00000093,"a, b"\n00000094,"two\nlines"\n')
    b = write(tmp_path / "b.tsv", "video_id\ttext\n7\ta, b\n")

    rows = BaseDataset(ann_paths=[a, b]).annotation

    assert [(row["video_id"], row["text"]) for row in rows] == [
        ("00000093", "a, b"),
        ("00000094", "two\nlines"),
        ("7", "a, b"),
    ]


def test_an_object_of_ids_becomes_records(tmp_path: Path) -> None:
    records = write(tmp_path / "a.json", {"v1": {"q": 1}, "v2": {"q": 2}})
    plain = write(tmp_path / "b.json", {"v3": "a caption"})

    rows = BaseDataset(ann_paths=[records, plain]).annotation

    assert rows[0] == {"sample_id": "v1", "q": 1, "instance_id": "0"}
    assert rows[2] == {"sample_id": "v3", "data": "a caption", "instance_id": "2"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", '[{"q": 1},\n {"q": }]', r"a\.json.*line 2 column 8"),
        ("a.json", '[{"q": 1}', r"a\.json.*complete"),
        ("a.json", '"text"', r"a\.json.*a string.*list"),
        ("a.json", '[{"q": 1}, "text"]', r"a\.json.*record 1 is a string"),
        ("a.json", '{"info": {}, "questions": [{"q": 1}]}', r"a\.json.*info, questions"),
        ("a.jsonl", '{"q": 1}\n{"q": \n', r"a\.jsonl.*line 2"),
        ("a.csv", "a,b\n1,2\n3\n", r"a\.csv.*line 3.*2 cells"),
        ("a.csv", "a,b\n1,2,3\n", r"a\.csv.*line 2"),
        ("a.txt", "a", r"a\.txt.*\.json"),
    ],
)
def test_a_broken_file_is_named_with_the_place(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        BaseDataset(ann_paths=[write(tmp_path / name, content)])


def test_an_absent_or_binary_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"none\.json.*storage"):
        BaseDataset(ann_paths=[tmp_path / "none.json"])
    (tmp_path / "binary.json").write_bytes(b"[\xff\xfe]")
    with pytest.raises(AnnotationError, match=r"binary\.json.*UTF-8"):
        BaseDataset(ann_paths=[tmp_path / "binary.json"])


def test_collater_stacks_tensors_lists_the_rest_and_says_what_it_leaves_out(caplog: pytest.LogCaptureFixture) -> None:
    dataset = BaseDataset()
    samples = [{"x": torch.ones(2), "y": 1}, None, {"x": torch.zeros(2), "y": 2}]

    with caplog.at_level(logging.WARNING):
        batch = dataset.collater(samples)

    assert torch.equal(batch["x"], torch.tensor([[1.0, 1.0], [0.0, 0.0]]))
    assert batch["y"] == [1, 2]
    assert "1 of 3" in caplog.text
    assert dataset.collater([]) == {}
    assert dataset.collater([None]) == {}


def test_a_tensor_that_all_samples_share_is_not_copied() -> None:
    dataset = BaseDataset()
    shared = torch.arange(3.0)
    batch = dataset.collater([{"x": shared, "y": torch.ones(1)}, {"x": shared, "y": torch.zeros(1)}])
    assert batch["x"].tolist() == [[0, 1, 2], [0, 1, 2]]
    assert batch["x"].data_ptr() == shared.data_ptr()
    assert batch["y"].tolist() == [[1], [0]]
    with pytest.raises(RuntimeError):
        batch["x"].add_(1)
    alone = dataset.collater([{"x": shared}])
    alone["x"].zero_()
    assert shared.tolist() == [0, 1, 2]


def test_collater_names_the_samples_that_do_not_fit() -> None:
    dataset = BaseDataset()
    with pytest.raises(ValueError, match=r"'x'.*7, 8"):
        dataset.collater([{"x": torch.ones(2), "instance_id": "7"}, {"x": torch.ones(3), "instance_id": "8"}])
    with pytest.raises(ValueError, match=r"'y' is missing in samples 8"):
        dataset.collater([{"y": 1, "instance_id": "7"}, {"instance_id": "8"}])


def test_concatenation_indexes_across_parts_and_keeps_shared_keys(tmp_path: Path) -> None:
    a = BaseDataset(ann_paths=[write(tmp_path / "a.json", [{"q": 0, "only_a": 1}, {"q": 1, "only_a": 1}])])
    b = BaseDataset(ann_paths=[write(tmp_path / "b.json", [{"q": 2}])])

    both = a + b

    assert isinstance(both, ConcatDataset)
    assert [both[index]["q"] for index in range(3)] == [0, 1, 2]
    assert both[-1]["q"] == 2
    with pytest.raises(IndexError):
        both[3]
    assert both.collater([both[1], None, both[2]])["q"] == [1, 2]
    assert "only_a" not in both.collater([both[1], both[2]])
    assert "only_a" in both.collater([both[0], both[1]])


def test_torch_loads_it_with_workers(tmp_path: Path) -> None:
    dataset = BaseDataset(ann_paths=[write(tmp_path / "a.json", [{"q": number} for number in range(5)])])

    loader = torch.utils.data.DataLoader(dataset, batch_size=2, num_workers=1, collate_fn=dataset.collater)

    assert [batch["q"] for batch in loader] == [[0, 1], [2, 3], [4]]


def test_processors_can_be_replaced() -> None:
    dataset = BaseDataset()
    dataset.set_processors("v", "t")
    assert (dataset.vis_processor, dataset.text_processor) == ("v", "t")


def test_reading_annotations_imports_no_torch() -> None:
    code = "import sys, lavis.datasets.datasets, lavis.datasets.data_utils; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
