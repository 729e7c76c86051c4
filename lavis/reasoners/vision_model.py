"""A vision model of the transformers library with its processor: pictures and words in, completions out."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from typing import Any, ClassVar

from lavis.common.errors import ReasonerError
from lavis.reasoners.base import Completion, Prompt, PromptImage
from lavis.reasoners.chat_model import ChatModel, Row, said
from lavis.reasoners.token_trie import BatchGuide

# What processors call the tokens that stand for pictures: in a prompt's text they would be counted as pictures.
PICTURE_TOKENS = ("image_token", "boi_token", "eoi_token", "fake_image_token", "global_image_tag", "video_token")


class VisionModel(ChatModel):
    """A :class:`ChatModel` whose turns hold pictures: its processor cuts them to what the network takes."""

    auto_class: ClassVar[str] = "AutoModelForImageTextToText"
    _processor: Any = None

    def encode(self, prompt: Prompt) -> list[int]:
        """Return a prompt's tokens, those that stand for its pictures included."""
        with self._tokenizer_lock:
            found: list[int] = self._inputs([prompt])["input_ids"][0].tolist()
            return found

    def generate(self, rows: Sequence[Row]) -> list[Completion]:
        """Complete encoded rows: those with pictures in one batch, those without in another."""
        completions: dict[int, Completion] = {}
        for sees in (True, False):
            group = [at for at, row in enumerate(rows) if bool(row.prompt.images) == sees]
            if group:
                completions.update(zip(group, self._batch([rows[at] for at in group]), strict=True))
        return [completions[at] for at in range(len(rows))]

    def free(self) -> None:
        """Drop processor and model; they are loaded again when they are needed."""
        super().free()
        self._processor = None

    def _batch(self, rows: Sequence[Row]) -> list[Completion]:
        network = self._loaded()
        with self._tokenizer_lock:
            inputs = self._inputs([row.prompt for row in rows])
        width = inputs["input_ids"].shape[1]
        guide = BatchGuide(
            [row.guide for row in rows],
            [row.prompt.max_tokens for row in rows],
            width=width,
            end_ids=network.generation_config.eos_token_id,
        )
        generated = network.generate(
            **inputs.to(network.device, dtype=network.dtype),
            max_new_tokens=max(row.n_new for row in rows),
            logits_processor=[guide.mask],
            stopping_criteria=[guide.follow],
        )
        told = generated[:, width:].tolist()
        return [
            self._completion(row, guide, at, tokens) for at, (row, tokens) in enumerate(zip(rows, told, strict=True))
        ]

    def _inputs(self, prompts: Sequence[Prompt]) -> Any:
        """Return what the network takes for prompts that all have pictures, or all have none."""
        processor = self._ready()
        texts = [self._written(processor, prompt) for prompt in prompts]
        pictures = [[_opened(image) for image in prompt.images] for prompt in prompts]
        shown = {"images": pictures} if any(pictures) else {}
        # The template writes the control tokens itself, the beginning of the text included.
        return processor(text=texts, **shown, padding=True, add_special_tokens=False, return_tensors="pt")

    def _written(self, processor: Any, prompt: Prompt) -> str:
        """Return the chat as the processor's template writes it, a mark for every picture before the words."""
        plain = dataclasses.replace(
            prompt,
            system=self._defused(prompt.system),
            shared=self._defused(prompt.shared),
            own=self._defused(prompt.own),
        )
        words = "\n\n".join(part for part in (plain.shared, plain.own) if part)
        marks = [{"type": "image"} for _ in prompt.images]
        text = self._templated(processor, plain.system, marks, words)
        if prompt.choices and text.rstrip().endswith("<think>"):
            text = f"{text.rstrip()}\n</think>\n\n"
        return text + self._defused(prompt.lead) if self._leads(prompt) else text

    def _templated(self, processor: Any, system: str, marks: list[dict[str, str]], words: str) -> str:
        options = {} if self.enable_thinking is None else {"enable_thinking": self.enable_thinking}
        user = {"role": "user", "content": [*marks, {"type": "text", "text": words}]}
        joined = {"role": "user", "content": [*marks, {"type": "text", "text": f"{system}\n\n{words}"}]}
        # Some templates take a system message as parts, some as a text; some refuse it.
        chats = [
            [{"role": "system", "content": [{"type": "text", "text": system}]}, user],
            [{"role": "system", "content": system}, user],
            [joined],
        ]
        for chat in chats if system else [[user]]:
            try:
                text: str = processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True, **options)
            except Exception as error:  # a template's own code: it raises whatever its author chose
                failure = error
                continue
            if words in text and (not system or system in text):
                return text
            failure = ValueError("it leaves the prompt's words out")
        raise ReasonerError(f"The chat template of {self.name} refuses the prompt: {said(failure)}")

    def _ready(self) -> Any:
        """Return the processor, loaded when first asked for."""
        if self._processor is None:
            tokenizer = self._texts()
            with self._loading():
                import transformers

                processor = transformers.AutoProcessor.from_pretrained(self._place, trust_remote_code=False)
                if not getattr(processor, "image_processor", None):
                    raise ValueError(f"its {type(processor).__name__} takes no pictures")
                if not processor.chat_template:
                    raise ValueError("its processor has no chat template")
                own = processor.tokenizer
                own.padding_side = "left"  # what is generated begins in one column
                if own.pad_token is None:
                    own.pad_token = own.eos_token or tokenizer.eos_token
                named = {str(getattr(processor, name)) for name in PICTURE_TOKENS if getattr(processor, name, None)}
                specials = {*self._specials, *(token for token in named if len(token) > 1)}
                self._specials = tuple(sorted(specials, key=len, reverse=True))
                self._processor = processor
        return self._processor

    def _spelling(self) -> Any:
        return self._ready().tokenizer


def _opened(image: PromptImage) -> Any:
    from PIL import Image

    return Image.open(io.BytesIO(image.data)).convert("RGB")
