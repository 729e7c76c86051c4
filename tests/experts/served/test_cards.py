"""Every expert with a model: its card, what it takes, and what it says without one."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from lavis.common.errors import ConfigError, WeightsError
from lavis.common.registry import registry
from lavis.experts.asking import AskingExpert
from lavis.experts.base import Expert
from lavis.experts.served.docling import DoclingExpert

# name: (place, modality, skill)
ASKING = {
    "vlm_video": ("vision:VideoDescriptionExpert", "frame", "A1"),
    "vlm_image": ("vision:ImageDescriptionExpert", "frame", "A2"),
    "vlm_caption": ("vision:CaptionLinesExpert", "frame", "A3"),
    "vlm_depth": ("maps:DepthPictureExpert", "depth", "A2"),
    "vlm_flow": ("maps:FlowPictureExpert", "flow", "A1"),
    "vlm_normals": ("maps:NormalsPictureExpert", "norm", "A2"),
    "vlm_touch": ("vision:TouchDescriptionExpert", "touch", "A2"),
    "vlm_thermal": ("vision:ThermalDescriptionExpert", "thermal", "A2"),
    "vlm_scene": ("scene:SceneDescriptionExpert", "frame", "C2"),
    "vlm_ct": ("medical:CTDescriptionExpert", "volume", "D1"),
    "vlm_medical": ("medical:MedicalImageExpert", "frame", "D2"),
    "vlm_ocr": ("reading:TextTranscriptExpert", "frame", "E1"),
    "vlm_slides": ("reading:SlideDescriptionExpert", "frame", "E2"),
    "vlm_pages": ("documents:PagesReadingExpert", "page", "E3"),
    "vlm_chart": ("documents:ChartReadingExpert", "chart", "F1"),
    "vlm_table": ("documents:TableReadingExpert", "table", "F2"),
    "vlm_equation": ("reading:EquationExpert", "frame", "G1"),
    "vlm_geometry": ("reading:GeometryExpert", "frame", "G2"),
    "audio_sound": ("hearing:SoundDescriptionExpert", "audio", "B2"),
    "audio_music": ("hearing:MusicDescriptionExpert", "audio", "B3"),
    "audio_speech": ("hearing:SpeechDescriptionExpert", "audio", "B1"),
    "transcription": ("hearing:TranscriptionExpert", "audio", "B1"),
    "omni": ("omni:OmniExpert", "frame", "omni"),
}
LOCAL = {
    "whisper": ("whisper:WhisperExpert", "audio", "B1"),
    "clap": ("clap:ClapExpert", "audio", "B2"),
    "depth_estimation": ("depth_estimation:DepthEstimationExpert", "frame", "A2"),
}


def expert_class(place: str) -> type[Expert]:
    module, _, name = place.partition(":")
    found: type[Expert] = getattr(importlib.import_module(f"lavis.experts.served.{module}"), name)
    return found


@pytest.mark.parametrize("name", [*ASKING, *LOCAL])
def test_a_card_names_its_expert_and_a_loader_that_exists(name: str) -> None:
    place, modality, skill = {**ASKING, **LOCAL}[name]
    card = expert_class(place).card
    assert (card.name, card.modality, card.skill) == (name, modality, skill)
    assert card.cost == ("served" if name in ASKING else "local")
    registry.require("loader", card.modality)
    for companion in card.companions:
        registry.require("loader", companion)


@pytest.mark.parametrize("name", ASKING)
def test_without_a_model_the_line_that_enables_it_fits_it(name: str) -> None:
    cls: Any = expert_class(ASKING[name][0])
    assert issubclass(cls, AskingExpert)
    (line,) = cls.lacks({})
    assert line.startswith(f"model.experts=[{{name: {name}, reasoner: {{type: openai")
    is_chat = "openai_transcription" not in line
    assert ("sees_images: true" in line, "hears_audio: true" in line) == (cls.sees, cls.hears and is_chat)
    assert cls.lacks({"reasoner": {"type": "openai"}}) == ()
    with pytest.raises(ConfigError, match="has no model to ask"):
        cls().whom()
    assert cls().deciding({"max_tokens": 5}) == {"max_tokens": 5}


@pytest.mark.parametrize("name", ASKING)
def test_what_is_asked_says_what_to_do_where_it_cannot_be_seen(name: str) -> None:
    cls: Any = expert_class(ASKING[name][0])
    assert isinstance(cls.instruction, str)
    assert 40 < len(cls.instruction) < 900


@pytest.mark.parametrize("name", LOCAL)
def test_without_a_local_model_the_line_names_it(name: str) -> None:
    cls: Any = expert_class(LOCAL[name][0])
    assert cls.lacks({}) == (f"model.experts=[{{name: {name}, model: <folder or hub name>}}]",)
    assert cls.lacks({"model": "org/name"}) == ()
    with pytest.raises(WeightsError, match="has no model"):
        cls().place()


def test_what_is_not_installed_is_unavailable_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert DoclingExpert.lacks({}) == ("pip install docling",)
    assert expert_class(LOCAL["clap"][0]).lacks({"model": "m"}) == ("pip install 'salesforce-lavis[models]'",)
