"""Two classes of evidence, for a medium and for one question, and everything that makes evidence another."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from frames_on_disk import grey_frames

from lavis.common import event_loop
from lavis.datasets.question import Media, Question
from lavis.datasets.span import MediaSpan
from lavis.experts import Evidence, Expert, ExpertCard, asking
from lavis.experts.frames import FramesExpert
from lavis.experts.served.scene import SceneDescriptionExpert
from lavis.experts.served.vision import ImageDescriptionExpert, VideoDescriptionExpert
from lavis.models.mexa_models.panel import Panel, Seat
from lavis.models.mexa_models.workbench import Workbench, new_workbench
from lavis.store import EvidenceStore
from lavis.store.entry_files import EntryFiles

READING = {"n_frames": 8}
MODEL = {"type": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m", "sees_images": True}


class ForMedium(Expert):
    """Counts its looks; two texts that differ would be two looks."""

    card = ExpertCard("for_medium", "captions", "A1", "s", "1")
    looks: int = 0

    def write(self, loaded: Any) -> str:
        self.looks += 1
        return f"look {self.looks}"


class ForQuestion(ForMedium):
    card = dataclasses.replace(ForMedium.card, name="for_question", question_aware=True)

    def write(self, loaded: Any, *, question: Question | None = None) -> str:
        assert question is not None
        return f"{super().write(loaded)} for {question.text}"


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    path = tmp_path / "captions.json"
    path.write_text(json.dumps({"scene": ["a chair"]}))
    return path


def gather(bench: Workbench, path: Path, text: str, *seats: Seat) -> list[Evidence]:
    panel = Panel(seats, n_frames=8)
    try:
        question = Question("1", text, Media("scene", {"captions": path}))
        return event_loop.run(panel.gather(list(panel.experts), question, bench))
    finally:
        panel.close()


def kept(root: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text())["entry"] for path in sorted(root.rglob("*.json"))]


def test_what_serves_a_medium_and_what_serves_one_question_lie_apart(tmp_path: Path, captions: Path) -> None:
    bench = new_workbench(tmp_path / "kept")
    medium, aware = ForMedium(), ForQuestion()
    for text in ("What?", "Who?", "What?"):
        gather(bench, captions, text, Seat(medium), Seat(aware))
    root = tmp_path / "kept" / "evidence"
    assert sorted(path.name for path in root.iterdir()) == ["media", "questions"]
    assert [(item["expert"], item["text"]) for item in kept(root / "media")] == [("for_medium", "look 1")]
    assert sorted(item["text"] for item in kept(root / "questions")) == ["look 1 for What?", "look 2 for Who?"]
    assert (medium.looks, aware.looks) == (1, 2)


def test_without_one_class_the_other_is_still_found(tmp_path: Path, captions: Path) -> None:
    """Question-aware evidence of a benchmark is the larger; whoever deletes its folder keeps the media's."""
    bench = new_workbench(tmp_path / "kept")
    gather(bench, captions, "What?", Seat(ForMedium()), Seat(ForQuestion()))
    for path in (tmp_path / "kept" / "evidence" / "questions").rglob("*.json"):
        path.unlink()
    medium, aware = ForMedium(), ForQuestion()
    gather(new_workbench(tmp_path / "kept"), captions, "What?", Seat(medium), Seat(aware))
    assert (medium.looks, aware.looks) == (0, 1)


def test_an_entry_of_the_other_class_is_not_taken(tmp_path: Path, captions: Path) -> None:
    store = EvidenceStore(tmp_path / "kept")
    question = Question("1", "What?", Media("scene", {"captions": captions}))
    key = store.key(ForMedium(), {}, READING, question)
    evidence = Evidence("for_medium", "scene", "said", "1")
    EntryFiles(tmp_path / "kept" / "questions").put(key.local, evidence.to_json())
    assert EvidenceStore(tmp_path / "kept").get(key) is None
    store.put(key, evidence)
    assert EvidenceStore(tmp_path / "kept").get(key) == evidence


def test_a_changed_version_option_or_length_looks_again_and_nothing_else_does(tmp_path: Path, captions: Path) -> None:
    bench = new_workbench(tmp_path / "kept")

    class Newer(ForMedium):
        card = dataclasses.replace(ForMedium.card, version="2")

    def looks(cls: type[ForMedium], **seat: Any) -> int:
        expert = cls()
        gather(bench, captions, "What?", Seat(expert, **seat))
        return expert.looks

    changes: list[tuple[type[ForMedium], dict[str, Any]]] = [
        *((ForMedium, {}), (Newer, {}), (ForMedium, {"options": {"min_size": 2}}), (ForMedium, {"max_chars": 3})),
    ]
    assert [looks(cls, **seat) for cls, seat in changes] == [1] * 4
    assert [looks(cls, **seat) for cls, seat in changes] == [0] * 4
    assert looks(ForMedium, timeout_s=5.0) == 0, "how long it may take decides no text"


def test_how_one_modality_is_read_moves_no_evidence_on_another(tmp_path: Path, captions: Path) -> None:
    """Texts have no frames: neither their number nor the loader of depth decides what is said of them."""
    question = Question("1", "What?", Media("scene", {"captions": captions, "depth": tmp_path / "depth"}))

    class Deep(ForMedium):
        card = dataclasses.replace(ForMedium.card, name="deep_texts", modality="depth")

    def keys(n_frames: int, **loaders: dict[str, Any]) -> tuple[str, str]:
        panel = Panel([Seat(ForMedium()), Seat(Deep())], n_frames=n_frames)
        bench = new_workbench(tmp_path / "kept", loader_options=loaders)
        texts, deep = (event_loop.run(panel.key(name, question, bench)).local for name in panel.experts)
        panel.close()
        return texts, deep

    of_texts, of_depth = zip(keys(8), keys(4), keys(8, depth={"scale_m": 0.5}), strict=True)
    assert (len(set(of_texts)), len(set(of_depth))) == (1, 3)
    assert len({keys(8)[0], keys(8, captions={"a": 1})[0]}) == 2


# -- what an expert asks, and whom -------------------------------------------------------------


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return the key of a served expert's evidence."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-some")
    frames = grey_frames(tmp_path / "clip", 9)
    store = EvidenceStore(tmp_path / "kept")

    def of(cls: Any = VideoDescriptionExpert, *, text: str = "What?", model: Any = None, **options: Any) -> str:
        node = {"reasoner": {**MODEL, **(model or {})}, **options}
        question = Question("1", text, Media("clip", {"frame": frames}))
        local: str = store.key(cls(**node), node, READING, question).local
        return local

    return of


def test_another_model_prompt_or_number_of_pictures_is_another_key(key: Callable[..., str]) -> None:
    keys = [
        *(key(), key(model={"model": "n"}), key(model={"temperature": 0.5}), key(instruction="Count the cups.")),
        *(key(n_images=2), key(max_tokens=100), key(ImageDescriptionExpert)),
    ]
    assert len(set(keys)) == len(keys)
    assert key(model={"timeout_s": 9.0}) == key(model={"max_connections": 3}) == keys[0]


def test_the_package_s_own_prompts_are_part_of_the_key(
    key: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever edits a prompt and forgets the card's version must not be shown evidence of the old one."""
    before = key()
    with monkeypatch.context() as patch:
        patch.setattr(VideoDescriptionExpert, "instruction", "Tell what happens.")
        edited = key()
    with monkeypatch.context() as patch:
        patch.setattr(asking, "SYSTEM", "Look.")
        resaid = key()
    assert len({before, edited, resaid}) == 3 and key() == before


def test_a_question_is_part_of_the_key_exactly_where_the_expert_hears_it(key: Callable[..., str]) -> None:
    assert not VideoDescriptionExpert.card.question_aware
    assert key(text="Who?") == key(text="What?")
    card = SceneDescriptionExpert.card
    assert card.question_aware
    assert key(SceneDescriptionExpert, text="Who?") != key(SceneDescriptionExpert, text="What?")


# -- which frames are looked at ----------------------------------------------------------------


def frames_key(root: Path, sources: dict[str, Path], **side: Any) -> str:
    question = Question("1", "What?", Media("clip", sources, side))
    return EvidenceStore(root).key(FramesExpert(), {}, READING, question).local


def test_what_decides_the_frames_that_are_looked_at_decides_the_key(tmp_path: Path) -> None:
    """Six pictures: all are looked at, but five where flow is there; with a span, those inside; texts move nothing."""
    frames, flow, texts = grey_frames(tmp_path / "clip", 6), grey_frames(tmp_path / "flow", 5), tmp_path / "texts.json"
    alone = frames_key(tmp_path, {"frame": frames})
    others = [
        frames_key(tmp_path, {"frame": frames, "flow": flow}),
        frames_key(tmp_path, {"frame": frames}, span=MediaSpan(0, 3, "frames")),
        frames_key(tmp_path, {"frame": frames}, span=MediaSpan(3, 6, "frames")),
    ]
    assert len({alone, *others}) == 4
    assert frames_key(tmp_path, {"frame": frames, "captions": texts}) == alone


def test_a_modality_that_is_sampled_by_another_s_frames_follows_their_files(tmp_path: Path) -> None:
    """Depth is sampled by the frames' count: a frame more is another sampling."""
    frames, depth = grey_frames(tmp_path / "clip", 6), grey_frames(tmp_path / "depth", 6)
    question = Question("1", "What?", Media("clip", {"frame": frames, "depth": depth}))

    class Deep(Expert):
        card = ExpertCard("deep", "depth", "A2", "s", "1")

        def write(self, loaded: Any) -> str:
            return "deep"

    def now() -> str:
        return EvidenceStore(tmp_path / "kept").key(Deep(), {}, READING, question).local

    before = now()
    (frames / "0006.png").write_bytes((frames / "0005.png").read_bytes())
    assert now() != before
