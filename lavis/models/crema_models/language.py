"""Words in and out of CREMA's language model: prompts and prefixes to tokens, tokens to answers."""

from __future__ import annotations

import abc
import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

import torch

from lavis.common.errors import ConfigError

logger = logging.getLogger(__name__)

IGNORED = -100  # what a loss leaves out
# "A" … "E" in T5's vocabulary.
OPTION_IDS = (71, 272, 205, 309, 262)
WORD_START = "\N{LOWER ONE EIGHTH BLOCK}"  # how SentencePiece marks it


@dataclasses.dataclass(frozen=True)
class Tokens:
    """Texts as token ids [b, n], padded on the right, and which of them are no padding."""

    ids: torch.Tensor
    mask: torch.Tensor

    @property
    def labels(self) -> torch.Tensor:
        """The ids as labels: a loss leaves padding out."""
        return self.ids.masked_fill(self.mask == 0, IGNORED)


class Vocabulary(abc.ABC):
    """Spells texts as a language model reads them."""

    @abc.abstractmethod
    def spell(self, texts: Sequence[str], *, ends: bool = True) -> Tokens:
        """Return texts as tokens, with the token that ends a text unless they go on."""

    @abc.abstractmethod
    def read(self, ids: torch.Tensor) -> list[str]:
        """Return token ids [b, n] as texts, without special tokens."""

    def option_ids(self, n: int) -> tuple[int, ...]:
        """Return the tokens of the letters of n options, as they stand after "Option"; here, T5's.

        Raises:
            ConfigError: no letters are known for so many.
        """
        if n > len(OPTION_IDS):
            raise ConfigError(f"model.answer_num is {n}; letters are known for 1 to {len(OPTION_IDS)} options.")
        return OPTION_IDS[:n]


class T5Vocabulary(Vocabulary):
    """The tokenizer of a T5 model.

    Args:
        source: a folder or a hub name.

    Raises:
        ConfigError: no tokenizer can be loaded from there.
    """

    def __init__(self, source: str) -> None:
        from transformers import AutoTokenizer

        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"model.t5_model: no tokenizer can be loaded from {source!r} ({error}); give a folder or a hub name."
            ) from error

    def spell(self, texts: Sequence[str], *, ends: bool = True) -> Tokens:
        """Return texts as tokens, whole: what is too long is shortened as text before (see :func:`within`)."""
        found = self.tokenizer(list(texts), padding="longest", add_special_tokens=ends, return_tensors="pt")
        return Tokens(found["input_ids"], found["attention_mask"])

    def read(self, ids: torch.Tensor) -> list[str]:
        """Return token ids as texts."""
        texts: list[str] = self.tokenizer.batch_decode(ids, skip_special_tokens=True)
        return [text.strip() for text in texts]

    def option_ids(self, n: int) -> tuple[int, ...]:
        """Return the letters' tokens.

        Raises:
            ConfigError: the tokenizer has others, so that it is not that of the published weights.
        """
        known = super().option_ids(n)
        letters = [f"{WORD_START}{letter}" for letter in "ABCDE"[:n]]
        found = tuple(self.tokenizer.convert_tokens_to_ids(letters))
        if found != known:
            raise ConfigError(
                f"model.t5_model: its tokenizer has {found} for the letters of options, T5 has {known}; "
                "take a tokenizer of T5."
            )
        return known


def within(vocabulary: Vocabulary, asked: Sequence[str], situations: Sequence[str], limit: int) -> list[str]:
    """Return prompts that fit a number of tokens: a situation is shortened from its beginning, nothing else.

    Args:
        vocabulary: counts tokens.
        asked: prompts; each holds its situation as it is.
        situations: one for each prompt; empty for none.
        limit: tokens that a prompt may have.

    Raises:
        ConfigError: a prompt is too long without its situation; says by how much.
    """
    lengths = vocabulary.spell(asked).mask.sum(dim=1).tolist()
    return [
        prompt if length <= limit else _shortened(vocabulary, prompt, situation, limit)
        for prompt, situation, length in zip(asked, situations, lengths, strict=True)
    ]


def _shortened(vocabulary: Vocabulary, prompt: str, situation: str, limit: int) -> str:
    words = situation.split() if situation and situation in prompt else []
    for n_left in range(len(words) - 1, -1, -1):
        shorter = prompt.replace(situation, " ".join(words[len(words) - n_left :]), 1).strip()
        if int(vocabulary.spell([shorter]).mask.sum()) <= limit:
            logger.info("A situation of %d words is cut to its last %d: the prompt has a limit.", len(words), n_left)
            return shorter
    raise ConfigError(
        f"model.max_txt_len: {limit} tokens do not hold the prompt {prompt[:120]!r}…, whose question and options are "
        "never cut; raise it."
    )
