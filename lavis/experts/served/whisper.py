"""Speech as text by a local model of transformers: Whisper with times, any other by stretches."""

from __future__ import annotations

from typing import Any

from lavis.common.errors import ConfigError
from lavis.datasets.loaders.base import Array, Clip
from lavis.experts.card import ExpertCard
from lavis.experts.served.beginning import beginning
from lavis.experts.served.local_model import LocalModelExpert, at_rate
from lavis.reasoners.transcript_reply import NOTHING_SAID, timed_lines

# What Whisper hears at once; other models are given no more either.
STRETCH_S = 30.0
MAX_S = 3600.0


class WhisperExpert(LocalModelExpert):
    """Writes down speech with a sequence-to-sequence model, greedily.

    Args:
        model, device: as of :class:`LocalModelExpert`.
        language: of the speech (``en``), for models that know several; None lets the model find out.
        max_s: so much of the sound is heard at most, in s; what is left out is told.
        max_tokens: written for a stretch of 30 s at most.
    """

    card = ExpertCard(
        name="whisper",
        modality="audio",
        skill="B1",
        summary="what is said, word for word, with times",
        version="1",
        cost="local",
    )

    def __init__(
        self,
        *,
        model: str | None = None,
        device: str | None = None,
        language: str | None = None,
        max_s: float = MAX_S,
        max_tokens: int = 440,
    ) -> None:
        super().__init__(model=model, device=device)
        if not max_s > 0:
            raise ConfigError(f"model.experts.whisper.max_s: {max_s} s is no sound; give more than 0.")
        if max_tokens < 1:
            raise ConfigError(f"model.experts.whisper.max_tokens: {max_tokens} leaves no room; give 1 or more.")
        self.language = language
        self.max_s = max_s
        self.max_tokens = max_tokens
        self._model: tuple[Any, Any] | None = None

    def write(self, loaded: Clip, **needs: Any) -> str:
        """Write down what is said.

        Args:
            loaded: audio [n] float32, full scale 1.
            needs: nothing.

        Returns:
            A line for each segment: ``2.4 s to 5.0 s: Hello.``

        Raises:
            ModalityError: there is no sound; names the medium and the path.
            WeightsError: the model cannot be loaded.
        """
        sound, from_hz, left_out = beginning(loaded, self.max_s)
        start_s = loaded.timestamps_s[0] if loaded.timestamps_s else 0.0
        with self.turn:
            if self._model is None:
                self._model = self.loaded("AutoModelForSpeechSeq2Seq")
            processor, network = self._model
            rate_hz = float(processor.feature_extractor.sampling_rate)
            segments = self._heard(at_rate(sound, from_hz, rate_hz), rate_hz, processor, network)
        lines = timed_lines([(start_s + a, None if b is None else start_s + b, text) for a, b, text in segments])
        if left_out:
            lines.insert(0, left_out)
        return "\n".join(lines) if segments and any(text.strip() for _, _, text in segments) else _silent(lines)

    def _heard(
        self, sound: Array, rate_hz: float, processor: Any, network: Any
    ) -> list[tuple[float, float | None, str]]:
        """Return (start in s, end in s, text) of what is said."""
        import torch

        tells_times = getattr(network.generation_config, "no_timestamps_token_id", None) is not None
        options: dict[str, Any] = {"do_sample": False, "num_beams": 1, "max_new_tokens": self.max_tokens}
        if self.language is not None:
            options["language"] = self.language
        with torch.inference_mode():
            if tells_times:
                return self._by_segments(sound, rate_hz, processor, network, options)
            n = round(STRETCH_S * rate_hz)
            said: list[tuple[float, float | None, str]] = []
            for start in range(0, len(sound), n):
                inputs = processor(sound[start : start + n], sampling_rate=int(rate_hz), return_tensors="pt")
                tokens = network.generate(**inputs.to(network.device), **options)
                text = processor.batch_decode(tokens, skip_special_tokens=True)[0]
                said.append((start / rate_hz, min(start + n, len(sound)) / rate_hz, text))
            return said

    def _by_segments(
        self, sound: Array, rate_hz: float, processor: Any, network: Any, options: dict[str, Any]
    ) -> list[tuple[float, float | None, str]]:
        """Return segments by the model's own times; beyond 30 s it goes on where its last whole segment ended."""
        is_long = len(sound) > STRETCH_S * rate_hz
        reading = {"truncation": False, "padding": "longest"} if is_long else {}
        inputs = processor(
            sound, sampling_rate=int(rate_hz), return_tensors="pt", return_attention_mask=True, **reading
        )
        found = network.generate(**inputs.to(network.device), **options, return_timestamps=True, return_segments=True)
        length_s = len(sound) / rate_hz
        said: list[tuple[float, float | None, str]] = []
        for segment in found["segments"][0]:
            text = processor.tokenizer.decode(segment["tokens"], skip_special_tokens=True)
            start_s, end_s = float(segment["start"]), float(segment["end"])
            said.append((min(start_s, length_s), min(end_s, length_s) if end_s > start_s else None, text))
        return said


def _silent(told: list[str]) -> str:
    return "\n".join([*told, NOTHING_SAID])
