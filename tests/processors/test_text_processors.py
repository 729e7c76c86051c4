"""Ground truth: LAVIS's rules for BLIP's texts, applied by hand."""

from __future__ import annotations

import logging

import pytest
from omegaconf import OmegaConf

from lavis.common.errors import ConfigError, UnknownNameError
from lavis.processors import BaseProcessor, load_processor
from lavis.processors.base_processor import AbsentProcessor


def test_question_is_lowered_and_loses_its_punctuation_but_not_its_question_mark_or_comma() -> None:
    process = load_processor("blip_question")

    assert process('What is (on) the "Table"; left, right: #1 ~ *2*!  ') == "what is on the table left, right 1  2"
    assert process("Where is it?") == "where is it?"


def test_question_is_cut_after_fifty_words_and_where_it_is_told_to() -> None:
    words = " ".join(f"w{number}" for number in range(60))

    assert load_processor("blip_question")(words).split(" ") == [f"w{number}" for number in range(50)]
    assert load_processor("blip_question", OmegaConf.create({"max_words": 2}))(words) == "w0 w1"


def test_question_says_that_it_uses_no_prompt(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        process = load_processor("blip_question", OmegaConf.create({"prompt": "Answer: "}))

    assert process("Who") == "who"
    assert "Answer: " in caplog.text


def test_caption_gets_blanks_for_punctuation_squeezed_and_its_prompt_is_not_touched() -> None:
    process = load_processor("blip_caption", OmegaConf.create({"prompt": "A Picture of ", "max_words": 3}))

    assert process('  A dog...runs "fast" \n') == "A Picture of a dog runs"


def test_the_base_is_the_identity_and_builds_from_keywords() -> None:
    thing = object()

    assert load_processor("base")(thing) is thing
    rebuilt = load_processor("blip_question").build(max_words=1)
    assert rebuilt("One two") == "one"
    assert isinstance(BaseProcessor().build(), BaseProcessor)


def test_unknown_processor_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="blip_question"):
        load_processor("blip_questions")


def test_absent_processor_speaks_only_when_it_is_used() -> None:
    absent = AbsentProcessor("vis_processor.train")

    with pytest.raises(ConfigError, match=r"vis_processor\.train"):
        absent("x")
