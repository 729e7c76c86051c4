"""Starts and ends of questions: two units, rounding, and every record that cannot be used."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from media import ClipSpec, write_clip

from lavis.common.errors import AnnotationError
from lavis.datasets.prepare.benchmarks import BENCHMARKS
from lavis.datasets.prepare.parts import Part, frame_range, read_parts, span_s
from lavis.extract.video_stream import VideoStream

TOUCH, THERMAL = BENCHMARKS["touchqa"], BENCHMARKS["thermalqa"]


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> VideoStream:
    """60 frames at 15 Hz, 4 s."""
    path = write_clip(tmp_path_factory.mktemp("v") / "v.mp4", ClipSpec(n_frames=60, rate_hz=15))
    return VideoStream(path, media_id="v")


def part(start: str, end: str | None = None) -> Part:
    return Part("7", "v", Fraction(start), None if end is None else Fraction(end), "a.json, question 7")


def write(folder: Path, name: str, records: object) -> None:
    (folder / name).write_text(json.dumps(records))


def frames(one: Part, unit: str, stream: VideoStream) -> tuple[int, int]:
    return frame_range(one, *span_s(one, unit, stream), stream)[:2]  # type: ignore[arg-type]


def test_frame_numbers_are_frames_and_the_end_is_outside(stream: VideoStream) -> None:
    assert frames(part("10", "20"), "frames", stream) == (10, 19)
    assert frames(part("50", "60"), "frames", stream) == (50, 59)
    assert frames(part("50", "90"), "frames", stream) == (50, 59)
    assert frames(part("10"), "frames", stream) == (10, 59)


def test_seconds_are_not_cut_to_whole_ones(stream: VideoStream) -> None:
    """Truth: 2.5 s are 37.5 frames of 1/15 s, so the first frame from there on is 38; CREMA's tool takes frame 2."""
    assert frames(part("2.5"), "seconds", stream) == (38, 59)
    assert frames(part("1", "2"), "seconds", stream) == (15, 29)


def test_times_rounded_to_milliseconds_mean_their_frame(stream: VideoStream) -> None:
    """Truth: frame 13 is at 0.86667 s, which an annotation writes as 0.867."""
    assert frames(part("0.867"), "seconds", stream)[0] == 13
    assert frames(part("0.868"), "seconds", stream)[0] == 14
    assert frames(part("0", "0.867"), "seconds", stream)[1] == 12


@pytest.mark.parametrize(
    ("one", "unit", "says"),
    [
        (part("60", "70"), "frames", "starts at frame 60"),
        (part("2.5", "7"), "frames", "--unit seconds"),
        (part("4"), "seconds", "is over at 4.000 s"),
        (part("1.01", "1.05"), "seconds", "no frame"),
    ],
)
def test_what_has_no_frames_says_why(stream: VideoStream, one: Part, unit: str, says: str) -> None:
    with pytest.raises(AnnotationError, match=rf"question 7: .*{says}"):
        frames(one, unit, stream)


def test_both_names_and_both_splits_are_read(tmp_path: Path) -> None:
    write(tmp_path, "touch_train.json", [{"question_id": 3, "video_id": "v", "start": 4, "end": 9}])
    write(tmp_path, "touchqa_val.json", [{"question_id": "x", "video_id": "w", "start": 0, "end": 1}])
    parts, failures = read_parts(tmp_path, TOUCH)
    assert [(one.question_id, one.video_id, one.start, one.end) for one in parts] == [
        ("3", "v", 4, 9),
        ("x", "w", 0, 1),
    ]
    assert failures == []
    write(tmp_path, "touch_val.json", [])
    with pytest.raises(AnnotationError, match=r"touch_val\.json.*touchqa_val\.json.*one split"):
        read_parts(tmp_path, TOUCH)


def test_a_float_start_is_taken_as_it_is_written(tmp_path: Path) -> None:
    write(tmp_path, "thermalqa_val.json", [{"question_id": 0, "video_id": "20221027_9_split4", "start": 52.867}])
    (one,), _ = read_parts(tmp_path, THERMAL)
    assert one.start == Fraction(52867, 1000) and one.end is None


def test_records_that_cannot_be_used_are_failures(tmp_path: Path) -> None:
    good = {"question_id": 1, "video_id": "v", "start": 0, "end": 5}
    bad = [
        ({**good, "question_id": 2, "end": 0}, "not after its start"),
        ({**good, "question_id": 3, "start": -1}, "has 'start' -1"),
        ({**good, "question_id": 4, "start": "soon"}, "has 'start' 'soon'"),
        ({key: value for key, value in good.items() if key != "end"} | {"question_id": 6}, "has no 'end'"),
        ({**good, "video_id": None, "question_id": 7}, "has no 'video_id'"),
        (good, "used before"),
        ("text", "not an object"),
    ]
    write(tmp_path, "touch_train.json", [good, *(record for record, _ in bad)])
    parts, failures = read_parts(tmp_path, TOUCH)
    assert [one.question_id for one in parts] == ["1"]
    assert len(failures) == len(bad)
    for failure, (_, says) in zip(failures, bad, strict=True):
        assert says in failure["reason"] and failure["file"].endswith("touch_train.json")


def test_no_list_and_no_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="holds none of thermalqa_train"):
        read_parts(tmp_path, THERMAL)
    write(tmp_path, "thermalqa_train.json", {"questions": []})
    with pytest.raises(AnnotationError, match="no list"):
        read_parts(tmp_path, THERMAL)
    (tmp_path / "thermalqa_train.json").write_text("[")
    with pytest.raises(AnnotationError, match="not JSON"):
        read_parts(tmp_path, THERMAL)
    (tmp_path / "thermalqa_train.json").write_text('[{"question_id": 1, "video_id": "v", "start": NaN}]')
    with pytest.raises(AnnotationError, match="holds NaN"):
        read_parts(tmp_path, THERMAL)
