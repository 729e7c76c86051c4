"""Sound told by a model that hears: what sounds, music, speech; and speech as a transcription."""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping
from typing import Any

import numpy as np

from lavis.common.errors import ConfigError
from lavis.datasets.loaders.base import Clip
from lavis.experts.asking import AskingExpert, Shown
from lavis.experts.card import ExpertCard
from lavis.experts.served.beginning import beginning
from lavis.reasoners.base import PromptAudio

# 32 kB per s at 16 kHz: 9.6 MB, 13 MB as base64; servers take 20 to 25 MB.
MAX_S = 300.0
MAX_TRANSCRIBED_S = 720.0
FULL_SCALE = 32767.0


def encoded_wav(clip: Clip, *, max_s: float) -> tuple[PromptAudio, str]:
    """Return the first ``max_s`` of a sound as a 16-bit wav file, and words on what was left out and where 0 s is.

    Args:
        clip: audio [n] float32, full scale 1, with its rate.
        max_s: in s.

    Raises:
        ModalityError: it has no sample or no rate; names the medium and the path.
    """
    heard, rate_hz, left_out = beginning(clip, max_s)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(round(rate_hz))
        sound.writeframes(np.rint(np.clip(heard, -1.0, 1.0) * FULL_SCALE).astype("<i2").tobytes())
    told = [left_out] if left_out else []
    if clip.timestamps_s and clip.timestamps_s[0] > 0:
        told.append(f"Times count from {clip.timestamps_s[0]:.1f} s of the recording.")
    return PromptAudio(buffer.getvalue(), "wav", len(heard) / rate_hz), " ".join(told)


class HearingExpert(AskingExpert):
    """Lets a model hear a sound.

    Args:
        reasoner, instruction, max_tokens: as of :class:`AskingExpert`.
        max_s: so much of the sound is sent at most, in s; what is left out is told.
    """

    hears = True

    def __init__(
        self,
        *,
        reasoner: Mapping[str, Any] | None = None,
        instruction: str | None = None,
        max_tokens: int = 768,
        max_s: float = MAX_S,
    ) -> None:
        super().__init__(reasoner=reasoner, instruction=instruction, max_tokens=max_tokens)
        if not max_s > 0:
            raise ConfigError(f"model.experts.{self.card.name}.max_s: {max_s} s is no sound; give more than 0.")
        self.max_s = max_s

    def show(self, loaded: Clip, **needs: Any) -> Shown:
        """Let a sound be heard.

        Args:
            loaded: audio [n] float32, full scale 1.
            needs: nothing.

        Raises:
            ModalityError: there is no sound.
        """
        sound, told = encoded_wav(loaded, max_s=self.max_s)
        return Shown(words=f"The sound is {sound.length_s:.1f} s long.", audio=(sound,), preface=told)


class SoundDescriptionExpert(HearingExpert):
    """Names what sounds."""

    card = ExpertCard(
        name="audio_sound",
        modality="audio",
        skill="B2",
        summary="what is heard and when: sources, events, surroundings, voices and moods",
        version="1",
        cost="served",
    )
    instruction = (
        "Say in at most 150 words what is heard, in order, with times in seconds: which sources and events, how often, "
        "near or far, loud or soft, which surroundings (indoors, street, nature), whether somebody speaks or sings and "
        "in which mood. Say 'probably' where several sources would sound alike."
    )


class MusicDescriptionExpert(HearingExpert):
    """Describes music."""

    card = ExpertCard(
        name="audio_music",
        modality="audio",
        skill="B3",
        summary="music: instruments, voices, tempo, metre, key, style, form and mood, with times",
        version="1",
        cost="served",
    )
    instruction = (
        "Say in at most 150 words what the music is: which instruments and voices, when they enter and stop, which one "
        "leads, tempo in beats a minute, metre, key or mode, harmony, style and probable origin, form and mood, with "
        "times in seconds. Say 'probably' where you are not sure. If there is no music, say so."
    )


class SpeechDescriptionExpert(HearingExpert):
    """Writes down speech, with who speaks and how."""

    card = ExpertCard(
        name="audio_speech",
        modality="audio",
        skill="B1",
        summary="what is said and by whom: words, speakers, language, manner of speaking, with times",
        version="1",
        cost="served",
    )
    instruction = (
        "Write down what is said, word for word in its own language, a line for each utterance: start in seconds, "
        "speaker (Speaker 1, Speaker 2 … by voice), words, and in brackets how it is said where that matters "
        "(laughing, whispering, angry). Mark what you cannot understand as [inaudible]. If nobody speaks, say so."
    )


class TranscriptionExpert(HearingExpert):
    """Writes down speech by a model that transcribes (``type: openai_transcription``).

    Args:
        reasoner, instruction, max_tokens, max_s: as of :class:`HearingExpert`; a model that only transcribes is sent
            no words.
    """

    card = ExpertCard(
        name="transcription",
        modality="audio",
        skill="B1",
        summary="what is said, word for word, with times where the model tells them",
        version="1",
        cost="served",
    )
    instruction = (
        "Write down what is said, word for word, a line for each sentence that begins with its start in seconds. Mark "
        "what you cannot understand as [inaudible]. If nobody speaks, say so."
    )

    def __init__(
        self,
        *,
        reasoner: Mapping[str, Any] | None = None,
        instruction: str | None = None,
        max_tokens: int = 4096,
        max_s: float = MAX_TRANSCRIBED_S,
    ) -> None:
        super().__init__(reasoner=reasoner, instruction=instruction, max_tokens=max_tokens, max_s=max_s)

    @classmethod
    def lacks(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what is missing: a server that transcribes."""
        if options.get("reasoner") is not None:
            return super().lacks(options)
        return ("model.experts=[{name: transcription, reasoner: {type: openai_transcription, base_url: …, model: …}}]",)
