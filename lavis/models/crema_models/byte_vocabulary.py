"""A vocabulary without a file: the bytes of a text, so that a small model can be built and trained anywhere."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lavis.common.errors import ConfigError
from lavis.models.crema_models.language import Tokens, Vocabulary

# T5's three special tokens, then the bytes.
PAD, END, N_SPECIAL = 0, 1, 3
# T5 has one token for the word before an option's letter, and reads the letter from the token after it.
OPTION, OPTION_ID = b"Option ", N_SPECIAL + 256
SIZE = OPTION_ID + 1
LETTERS = "ABCDE"


class ByteVocabulary(Vocabulary):
    """Spells UTF-8 byte by byte; ``Option`` with its blank is one token."""

    def spell(self, texts: Sequence[str], *, ends: bool = True) -> Tokens:
        """Return texts as tokens."""
        rows = [[*_ids(text), *([END] if ends else [])] for text in texts]
        width = max(map(len, rows), default=0)
        ids = torch.tensor([row + [PAD] * (width - len(row)) for row in rows], dtype=torch.long)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], dtype=torch.long)
        return Tokens(ids.reshape(len(rows), width), mask.reshape(len(rows), width))

    def read(self, ids: torch.Tensor) -> list[str]:
        """Return token ids as texts; bytes that are no UTF-8 become the replacement character."""
        return [b"".join(map(_bytes, row)).decode("utf-8", errors="replace").strip() for row in ids.tolist()]

    def option_ids(self, n: int) -> tuple[int, ...]:
        """Return the letters' tokens.

        Raises:
            ConfigError: no letters are known for so many.
        """
        if n > len(LETTERS):
            raise ConfigError(f"model.answer_num is {n}; letters are known for 1 to {len(LETTERS)} options.")
        return tuple(ord(letter) + N_SPECIAL for letter in LETTERS[:n])


def _ids(text: str) -> list[int]:
    found: list[int] = []
    for number, part in enumerate(text.encode("utf-8").split(OPTION)):
        found += [*([OPTION_ID] if number else []), *(byte + N_SPECIAL for byte in part)]
    return found


def _bytes(token: int) -> bytes:
    if token == OPTION_ID:
        return OPTION
    return bytes([token - N_SPECIAL]) if N_SPECIAL <= token < OPTION_ID else b""
