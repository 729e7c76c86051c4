"""Bytes as a vocabulary: texts come back, padding and ends are T5's, an option's letter is the second token."""

from __future__ import annotations

import logging

import pytest
import torch

from lavis.common.errors import ConfigError
from lavis.models.crema_models.byte_vocabulary import OPTION_ID, SIZE, ByteVocabulary
from lavis.models.crema_models.language import OPTION_IDS, T5Vocabulary, within

WORDS = ByteVocabulary()


def test_texts_come_back_from_their_tokens() -> None:
    texts = ["Is it grün?", "", "Option B", "OptionB Option C. Option "]
    spelled = WORDS.spell(texts)
    assert WORDS.read(spelled.ids) == [text.strip() for text in texts]
    assert spelled.mask.sum(1).tolist() == [len("Is it grün?".encode()) + 1, 1, 3, 7 + 1 + 2 + 1 + 1 + 1 + 1]
    assert int(spelled.ids.max()) == OPTION_ID < SIZE


def test_special_tokens_are_t5s() -> None:
    spelled = WORDS.spell(["a", "ab"])
    assert spelled.ids.tolist() == [[ord("a") + 3, 1, 0], [ord("a") + 3, ord("b") + 3, 1]]
    assert WORDS.spell(["a"], ends=False).ids.tolist() == [[ord("a") + 3]]
    assert spelled.labels.tolist()[0] == [ord("a") + 3, 1, -100]


def test_an_options_letter_is_one_token_after_one() -> None:
    ids = WORDS.option_ids(5)
    assert [WORDS.spell([f"Option {letter}"]).ids[0].tolist() for letter in "ABCDE"] == [[OPTION_ID, n, 1] for n in ids]
    with pytest.raises(ConfigError, match="1 to 5"):
        WORDS.option_ids(6)


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert WORDS.read(torch.tensor([[0xFF + 3, 1, 0], [300, 2, 1]])) == ["\N{REPLACEMENT CHARACTER}", ""]


def test_only_a_situation_is_cut_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    situation = "i stand by the door and look at the long table."
    prompt = f"{situation} Question: what is left of me Option A: sofa Option B: lamp"
    with caplog.at_level(logging.INFO):
        (shorter,) = within(WORDS, [prompt], [situation], 70)
    assert shorter == "at the long table. Question: what is left of me Option A: sofa Option B: lamp"
    assert "cut to its last 4" in caplog.text
    assert within(WORDS, [prompt], [situation], 300) == [prompt]
    (bare,) = within(WORDS, [prompt], [situation], 53)
    assert bare == "Question: what is left of me Option A: sofa Option B: lamp"
    with pytest.raises(ConfigError, match=r"max_txt_len: 30 tokens .* never cut"):
        within(WORDS, [prompt], [situation], 30)


def test_a_tokenizer_with_other_letters_is_refused() -> None:
    class Letters:
        def __init__(self, ids: tuple[int, ...]) -> None:
            self.ids = ids

        def convert_tokens_to_ids(self, tokens: list[str]) -> list[int]:
            assert tokens == [f"▁{letter}" for letter in "ABCDE"[: len(tokens)]]
            return list(self.ids[: len(tokens)])

    vocabulary = T5Vocabulary.__new__(T5Vocabulary)
    vocabulary.tokenizer = Letters(OPTION_IDS)
    assert vocabulary.option_ids(4) == (71, 272, 205, 309)
    vocabulary.tokenizer = Letters((71, 272, 206, 309, 262))
    with pytest.raises(ConfigError, match="t5_model"):
        vocabulary.option_ids(4)
