"""A vision model of the transformers library in this process: it sees a prompt's pictures, and decodes greedily."""

from __future__ import annotations

import importlib.metadata
from typing import Any

from lavis.reasoners.base import AnswerForm
from lavis.reasoners.transformers_chat import TransformersReasoner
from lavis.reasoners.vision_model import VisionModel

# Changes whenever the same prompt may be completed otherwise by the same model.
PROTOCOL = 1


class TransformersVisionReasoner(TransformersReasoner):
    """Completes prompts that hold pictures with an image-text-to-text model from a folder or the hub.

    Pictures come before the words, through the processor's own chat template. What :class:`TransformersReasoner`
    says of choices, control tokens, decoding and batches holds here too; marks that stand for pictures are control
    tokens. A model's code is never run from its folder, and nothing is unpickled.

    Args:
        model: a folder with config.json, safetensors, tokenizer and processor, or a hub name.
        batch_size: prompts computed at once; with 1 a completion depends on the prompt alone.
        device, dtype, max_wait_s, context_tokens, answer_form, enable_thinking: as of :class:`TransformersReasoner`.

    Raises:
        ConfigError: an option is out of range.
    """

    sees_images = True

    def __init__(
        self,
        *,
        model: str,
        device: str | None = None,
        dtype: str | None = None,
        batch_size: int = 1,
        max_wait_s: float = 0.02,
        context_tokens: int | None = None,
        answer_form: AnswerForm = "text",
        enable_thinking: bool | None = None,
    ) -> None:
        super().__init__(
            model=model,
            device=device,
            dtype=dtype,
            batch_size=batch_size,
            max_wait_s=max_wait_s,
            context_tokens=context_tokens,
            answer_form=answer_form,
            enable_thinking=enable_thinking,
        )
        self._chat = VisionModel(
            model,
            device=device,
            dtype=dtype,
            context_tokens=context_tokens,
            answer_form=answer_form,
            enable_thinking=enable_thinking,
        )

    def identity(self) -> dict[str, Any]:
        """Return the model by its fingerprint, the libraries and what else decides a completion."""
        seen_by = {"type": "transformers_vision", "protocol": PROTOCOL, "pillow": importlib.metadata.version("pillow")}
        return {**super().identity(), **seen_by}
