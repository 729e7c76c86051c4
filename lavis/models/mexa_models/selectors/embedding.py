"""Texts as vectors whose angle says how near their meanings are: MiniLM through onnxruntime, without torch."""

from __future__ import annotations

import functools
import importlib.util
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lavis.common.errors import ConfigError
from lavis.common.weights import weights_path

MODEL = "minilm_l6_int8"
TOKENIZER = "minilm_l6_tokenizer"
PACKAGES = ("onnxruntime", "tokenizers")
# What the model was trained to read; the rest of a longer text is not seen.
MAX_TOKENS = 128

Vector = npt.NDArray[np.float32]


class TextEmbedder:
    """Embeds texts; loads its model when first asked, and remembers what it embedded.

    Every text is computed by itself: in a batch, the last digits of a text's vector depend on the texts beside it.
    Cards are embedded once, so that a question costs one text.

    Args:
        remembered: texts whose vectors are kept.

    Raises:
        ConfigError: a package that it runs on is not installed; says how to install it.
        WeightsError: the weights are not there; gives the command that fetches them.
    """

    def __init__(self, *, remembered: int = 4096) -> None:
        missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
        if missing:
            raise ConfigError(f"Embedding texts needs {' and '.join(missing)}: pip install {' '.join(missing)}")
        self._paths = weights_path(MODEL), weights_path(TOKENIZER)
        self._lock = threading.Lock()
        self._vector = functools.lru_cache(maxsize=remembered)(self._compute)

    def embed(self, texts: Sequence[str]) -> Vector:
        """Return unit vectors [n texts, 384]."""
        return np.stack([self._vector(text) for text in texts])

    @functools.cached_property
    def _session(self) -> Any:
        import onnxruntime  # type: ignore[import-untyped]

        options = onnxruntime.SessionOptions()
        # One text is small; one thread is as fast, and sums in one order.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(str(self._paths[0]), options, providers=["CPUExecutionProvider"])

    @functools.cached_property
    def _tokenizer(self) -> Any:
        import tokenizers

        tokenizer = tokenizers.Tokenizer.from_file(str(self._paths[1]))
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        return tokenizer

    def _compute(self, text: str) -> Vector:
        with self._lock:
            encoded = self._tokenizer.encode(text)
            ids = np.array([encoded.ids], dtype=np.int64)
            feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
            hidden = self._session.run(None, feed)[0]  # [1, n tokens, 384]
        mean = hidden[0].mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)
