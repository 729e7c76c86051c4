"""Questions and captions as BLIP's checkpoints were trained on them: lower case, little punctuation, cut."""

from __future__ import annotations

import logging
import re
from typing import Any

from lavis.processors.base_processor import BaseProcessor, option

PUNCTUATION = re.compile(r'[.!"()*#:;~]')
MAX_WORDS = 50

logger = logging.getLogger(__name__)


def _first_words(text: str, max_words: int) -> str:
    words = text.split(" ")
    return " ".join(words[:max_words])


class BlipQuestionProcessor(BaseProcessor):
    """Lower-cases a question, deletes punctuation and keeps its first words.

    Args:
        max_words: words kept, counted between single blanks.
    """

    def __init__(self, max_words: int = MAX_WORDS) -> None:
        super().__init__()
        self.max_words = max_words

    def __call__(self, item: str) -> str:
        """Return the question in the form of BLIP's training."""
        question = PUNCTUATION.sub("", item.lower()).rstrip(" ")
        return _first_words(question, self.max_words)

    @classmethod
    def from_config(cls, cfg: Any = None) -> BlipQuestionProcessor:
        """Read ``max_words``. A ``prompt`` is not used, as in CREMA, and said so."""
        if option(cfg, "prompt", ""):
            logger.warning("blip_question uses no prompt; %r is ignored (run.prompt is the task's).", cfg.prompt)
        return cls(max_words=int(option(cfg, "max_words", MAX_WORDS)))


class BlipCaptionProcessor(BaseProcessor):
    """Lower-cases a caption, turns punctuation into blanks, squeezes them, and puts a prompt before it.

    Args:
        prompt: put before the caption as it is.
        max_words: words kept of the caption; the prompt does not count.
    """

    def __init__(self, prompt: str = "", max_words: int = MAX_WORDS) -> None:
        super().__init__()
        self.prompt = prompt
        self.max_words = max_words

    def __call__(self, item: str) -> str:
        """Return prompt and caption in the form of BLIP's training."""
        spaced = PUNCTUATION.sub(" ", item.lower())
        squeezed = re.sub(r"\s{2,}", " ", spaced).strip()
        return self.prompt + _first_words(squeezed, self.max_words)

    @classmethod
    def from_config(cls, cfg: Any = None) -> BlipCaptionProcessor:
        """Read ``prompt`` and ``max_words``."""
        return cls(prompt=str(option(cfg, "prompt", "")), max_words=int(option(cfg, "max_words", MAX_WORDS)))
