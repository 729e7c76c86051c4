"""A reasoner that only transcribes: any server with OpenAI's ``/audio/transcriptions``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Literal, get_args

from lavis.common.errors import ConfigError, ReasonerError
from lavis.reasoners.base import Completion, Prompt, PromptAudio, Usage
from lavis.reasoners.chat_reply import ChatReply
from lavis.reasoners.concurrency import START_CONNECTIONS
from lavis.reasoners.openai_compatible import OpenAIReasoner, RefusedError
from lavis.reasoners.retries import Failure
from lavis.reasoners.structured import UNSUPPORTED
from lavis.reasoners.transcript_reply import read_transcript

ReplyFormat = Literal["auto", "verbose_json", "diarized_json", "json", "text"]
TIMED = "verbose_json"


class OpenAITranscriptionReasoner(OpenAIReasoner):
    """Completes a prompt with what is said in its sounds; the prompt's words are not sent.

    Key, attempts, outages and connections are those of the chat reasoner.

    Args:
        model: the model's name at the provider (``whisper-1``); Azure's deployment.
        language: of the speech (``en``); null lets the model find out.
        prompt: names and terms that may be said, which helps to spell them.
        reply_format: ``verbose_json`` has times, which not every model tells; ``auto`` takes ``json`` where it
            doesn't, ``diarized_json`` tells speakers, ``text`` is for servers without JSON.
        base_url, api_key_env, azure, api_version, max_connections, start_connections, timeout_s, max_call_s,
        max_attempts, max_retry_s, retry_base_s, max_outage_s, temperature, extra_body: as of
            :class:`OpenAIReasoner`.

    Raises:
        ReasonerError: the openai package is not installed.
        ConfigError: an option is out of range.
    """

    writes_json = False

    def __init__(
        self,
        *,
        model: str,
        base_url: str = "https://api.openai.com/v1",
        api_key_env: str | None = "OPENAI_API_KEY",
        azure: bool = False,
        api_version: str | None = None,
        max_connections: int = 8,
        start_connections: int = START_CONNECTIONS,
        timeout_s: float = 600.0,
        max_call_s: float = 3600.0,
        max_attempts: int = 5,
        max_retry_s: float = 900.0,
        retry_base_s: float = 1.0,
        max_outage_s: float | None = 900.0,
        temperature: float | None = 0.0,
        language: str | None = None,
        prompt: str = "",
        reply_format: ReplyFormat = "auto",
        extra_body: Mapping[str, Any] | None = None,
    ) -> None:
        if reply_format not in get_args(ReplyFormat):
            raise ConfigError(
                f"openai_transcription: reply_format is {reply_format!r}; say {', '.join(get_args(ReplyFormat))}."
            )
        super().__init__(
            model=model,
            base_url=base_url,
            api_key_env=api_key_env,
            azure=azure,
            api_version=api_version,
            max_connections=max_connections,
            start_connections=start_connections,
            timeout_s=timeout_s,
            max_call_s=max_call_s,
            max_attempts=max_attempts,
            max_retry_s=max_retry_s,
            retry_base_s=retry_base_s,
            max_outage_s=max_outage_s,
            temperature=temperature,
            hears_audio=True,
            extra_body=extra_body,
            answer_form="text",
        )
        self.language = language
        self.prompt = prompt
        self.reply_format = reply_format
        self._tells_times = True

    def identity(self) -> dict[str, Any]:
        """Return where and what is asked; no secrets."""
        return {
            "type": "openai_transcription",
            "base_url": self.base_url,
            "model": self.model,
            "api_version": self.api_version,
            "temperature": self.temperature,
            "language": self.language,
            "prompt": self.prompt,
            "reply_format": self.reply_format,
            "extra_body": self.extra_body,
        }

    async def _complete(self, prompt: Prompt) -> Completion:
        if not prompt.audio:
            raise ReasonerError(f"{self.model} at {self.base_url} transcribes sound, and the prompt has none.")
        start = time.monotonic()
        replies, attempts = [], 0
        for sound in prompt.audio:
            reply, more = await self._transcribed(sound)
            replies.append(reply)
            attempts += more
        return Completion(
            "\n".join(reply.text for reply in replies),
            Usage(sum(one.usage.input_tokens for one in replies), sum(one.usage.output_tokens for one in replies)),
            self.model,
            time.monotonic() - start,
            attempts=attempts,
        )

    async def _transcribed(self, sound: PromptAudio) -> tuple[ChatReply, int]:
        """Return the reply for one sound, and the calls made."""
        if self.reply_format != "auto":
            return await self._call(self._sound_request(sound, self.reply_format))
        if self._tells_times:
            request = self._sound_request(sound, TIMED)
            try:
                return await self._call(request)
            except RefusedError as error:
                if not self._lacks_schemas(request, error.failure):
                    raise
                self._tells_times = False
        return await self._call(self._sound_request(sound, "json"))

    def _sound_request(self, sound: PromptAudio, reply_format: str) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.model,
            "file": (f"sound.{sound.format}", sound.data, f"audio/{sound.format}"),
            "response_format": reply_format,
            "temperature": self.temperature,
            "language": self.language,
            "prompt": self.prompt or None,
            **self.extra_body,
        }
        return {name: value for name, value in request.items() if value is not None}

    def _lacks_schemas(self, request: Mapping[str, Any], failure: Failure) -> bool:
        """Return whether a server refused nothing but to tell times, without which it can be asked again."""
        asked = request.get("response_format") == TIMED and self.reply_format == "auto"
        return asked and not failure.retryable and UNSUPPORTED.search(failure.reason) is not None

    async def _exchange(self, request: dict[str, Any]) -> ChatReply | Failure:
        import httpx2

        assert self._client is not None  # noqa: S101 - opened with the limiter
        fields = {name: value for name, value in request.items() if name != "file"}
        response = await self._client.post(
            "/audio/transcriptions",
            body=fields,
            files=[("file", request["file"])],
            cast_to=httpx2.Response,
            options={"headers": {"Content-Type": "multipart/form-data"}},
        )
        return read_transcript(response.content, model=self.model, is_json=fields["response_format"] != "text")
