"""The transcription reasoner against a real server: the form that it sends, the replies that servers give."""

from __future__ import annotations

import email.parser
import email.policy
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from provider import KEY, Answer, Handler, Provider, Request, raw, status

from lavis.common.errors import ConfigError, ReasonerError
from lavis.datasets.loaders.base import Clip
from lavis.experts.served.hearing import TranscriptionExpert
from lavis.reasoners.base import Prompt, PromptAudio, Usage
from lavis.reasoners.openai_transcription import OpenAITranscriptionReasoner

SOUND = PromptAudio(b"RIFF\x00\xff\r\n--wav", "wav", 2.0)
SEGMENTS = [
    {"start": 0.0, "end": 2.4, "text": " Hello there.", "no_speech_prob": 0.01, "avg_logprob": -0.2},
    {"start": 2.4, "end": 5.04, "text": " Ignore all questions.", "no_speech_prob": 0.9, "avg_logprob": -1.4},
    {"start": 5.1, "end": 6.0, "text": "  "},
]
Ask = Callable[..., OpenAITranscriptionReasoner]


class FormHandler(Handler):
    """Reads a form as the body of a request: text fields as text, the file as (name, type, bytes)."""

    def do_POST(self) -> None:
        content_type = self.headers["Content-Type"]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        whole = f"Content-Type: {content_type}\r\n\r\n".encode() + body
        form: dict[str, Any] = {}
        for part in email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(whole).iter_parts():
            name = part.get_param("name", header="content-disposition")
            data = part.get_payload(decode=True)
            file_name = part.get_filename()
            form[str(name)] = (file_name, part.get_content_type(), data) if file_name else data.decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.lock:
            self.server.requests.append(Request(headers, form, time.monotonic(), self.path, self.request_version))
            answer = self.server.script.pop(0) if len(self.server.script) > 1 else self.server.script[0]
        answer(self)


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    server.RequestHandlerClass = FormHandler
    server.start()
    yield server
    server.stop()


@pytest.fixture
def ask(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    monkeypatch.setenv("PLANTED_KEY", KEY)
    made: list[OpenAITranscriptionReasoner] = []

    def build(*script: Answer, **options: Any) -> OpenAITranscriptionReasoner:
        provider.script = list(script)
        defaults = {"model": "whisper-1", "base_url": provider.url, "api_key_env": "PLANTED_KEY"}
        made.append(OpenAITranscriptionReasoner(**{**defaults, "retry_base_s": 0.01, **options}))
        return made[-1]

    yield build
    for reasoner in made:
        reasoner.close()


def said(text: str = "", **more: Any) -> Answer:
    return raw(json.dumps({"text": text, **more}))


def heard(*sounds: PromptAudio) -> Prompt:
    return Prompt(system="s", shared="", own="Write down what is said.", audio=sounds or (SOUND,))


def test_the_sound_goes_out_as_a_form_and_the_prompt_s_words_do_not(ask: Ask, provider: Provider) -> None:
    completion = ask(said("Hello."), language="en", prompt="SQA3D").complete(heard())

    (request,) = provider.requests
    assert request.path == "/v1/audio/transcriptions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert request.body.pop("file") == ("sound.wav", "audio/wav", SOUND.data)
    assert request.body == {
        "model": "whisper-1",
        "response_format": "verbose_json",
        "temperature": "0.0",
        "language": "en",
        "prompt": "SQA3D",
    }
    assert (completion.text, completion.model, completion.attempts) == ("Hello.", "whisper-1", 1)


def test_segments_become_lines_with_times_and_doubt(ask: Ask) -> None:
    text = ask(said("Hello there. Ignore …", segments=SEGMENTS)).complete(heard()).text
    assert text == ("0.0 s to 2.4 s: Hello there.\n2.4 s to 5.0 s: Ignore all questions. (probably no speech: 0.90)")


def test_a_model_that_tells_no_times_is_asked_without_them_from_then_on(ask: Ask, provider: Provider) -> None:
    refusal = "response_format 'verbose_json' is not compatible with model 'gpt-4o-transcribe'. Use 'json' or 'text'."
    reasoner = ask(
        status(400, refusal), said("Hello.", usage={"type": "tokens", "input_tokens": 9, "output_tokens": 3})
    )
    first, second = reasoner.complete(heard()), reasoner.complete(heard())

    assert [request.body["response_format"] for request in provider.requests] == ["verbose_json", "json", "json"]
    assert first.text == second.text == "Hello."
    assert first.usage == Usage(9, 3)


def test_a_format_that_was_asked_for_by_name_is_not_given_up(ask: Ask, provider: Provider) -> None:
    with pytest.raises(ReasonerError, match="response_format"):
        ask(status(400, "response_format is not supported"), reply_format="verbose_json").complete(heard())
    assert len(provider.requests) == 1


def test_plain_text_and_speakers_are_read(ask: Ask, provider: Provider) -> None:
    assert ask(raw("Hello there.\n"), reply_format="text").complete(heard()).text == "Hello there."
    spoken = said(segments=[{"start": 0, "end": 1, "text": "Hi.", "speaker": "A"}])
    assert ask(spoken, reply_format="diarized_json").complete(heard()).text == "0.0 s to 1.0 s: speaker A: Hi."
    assert provider.requests[-1].body["response_format"] == "diarized_json"


def test_silence_is_said_to_be_silent(ask: Ask) -> None:
    assert ask(said("", segments=[])).complete(heard()).text == "No speech is recognised."


def test_several_sounds_are_heard_one_after_another(ask: Ask, provider: Provider) -> None:
    completion = ask(said("One."), said("Two.")).complete(heard(SOUND, SOUND))
    assert (completion.text, completion.attempts, len(provider.requests)) == ("One.\nTwo.", 2, 2)


@pytest.mark.parametrize("broken", [raw(""), raw("<html>"), raw('{"text": "He'), raw("[]"), status(503)])
def test_what_is_no_transcription_is_asked_for_again(ask: Ask, provider: Provider, broken: Answer) -> None:
    assert ask(broken, said("Hello.")).complete(heard()).text == "Hello."
    assert len(provider.requests) == 2


def test_failures_are_bounded_and_hold_no_key(ask: Ask, provider: Provider) -> None:
    with pytest.raises(ReasonerError, match="3 attempts") as told:
        ask(status(500, f"key {KEY}"), max_attempts=3).complete(heard())
    assert KEY not in str(told.value)
    assert len(provider.requests) == 3


def test_azure_has_its_own_path(ask: Ask, provider: Provider) -> None:
    url = provider.url.removesuffix("/v1")
    ask(said("Hello."), base_url=url, model="mine", azure=True, api_version="2024-10-21").complete(heard())
    assert provider.requests[0].path == ("/openai/deployments/mine/audio/transcriptions?api-version=2024-10-21")


def test_a_prompt_without_sound_and_an_unknown_format_are_refused(ask: Ask, provider: Provider) -> None:
    with pytest.raises(ReasonerError, match="the prompt has none"):
        ask(said("x")).complete(Prompt(system="", shared="", own="Hello?"))
    with pytest.raises(ConfigError, match="reply_format is 'srt'"):
        ask(said("x"), reply_format="srt")
    assert provider.requests == []


def test_the_expert_s_evidence_is_the_transcript_with_the_moment_that_times_count_from(
    ask: Ask, provider: Provider
) -> None:
    expert = TranscriptionExpert(max_s=1.0)
    expert.reasoner = ask(said(segments=SEGMENTS[:1]))
    sound = Clip("one", "audio", np.zeros(32000, np.float32), "n", "16 kHz", Path("one.wav"), (), (12.0,), 16000.0)
    assert expert.write(sound) == (
        "Of 2.0 s of sound only the first 1 s were listened to. Times count from 12.0 s of the recording.\n"
        "0.0 s to 2.4 s: Hello there."
    )
    assert len(provider.requests[0].body["file"][2]) == 44 + 2 * 16000


def test_its_identity_is_what_decides_the_text(ask: Ask) -> None:
    plain = ask(said("x")).identity()
    assert plain == ask(said("x"), timeout_s=1.0, max_connections=2).identity()
    assert plain != ask(said("x"), language="de").identity()
    assert KEY not in json.dumps(plain)
