"""A transcription as it came over the wire, read: a line per timed segment, or plain text, or what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lavis.reasoners.base import Usage
from lavis.reasoners.chat_reply import ChatReply
from lavis.reasoners.retries import Failure

# Whisper's own rule for a segment in which nobody speaks, whatever text it has.
NO_SPEECH_PROBABILITY, UNLIKELY_LOG_PROBABILITY = 0.6, -1.0
NOTHING_SAID = "No speech is recognised."


def read_transcript(body: bytes, *, model: str, is_json: bool) -> ChatReply | Failure:
    """Read the body of a 200 response.

    Args:
        body: the response's bytes.
        model: the model that was asked; a transcription does not name it.
        is_json: whether JSON was asked for; else the body is the text.

    Returns:
        ``2.4 s to 5.0 s: Hello.`` for every segment where there are any, else the text; a sound in which no word
        is found says so.
    """
    try:
        text = body.decode()
        if not is_json:
            return ChatReply(text.strip() or NOTHING_SAID, "", Usage(), model)
        if not text.strip():
            return Failure("the response was empty", retryable=True, cause="empty reply")
        data = json.loads(text)
        lines = [line for segment in data.get("segments") or () if (line := _line(segment))]
        said = "\n".join(lines) or str(data["text"]).strip() or NOTHING_SAID
        return ChatReply(said, "", _usage(data.get("usage")), model)
    except UnicodeDecodeError as error:
        return Failure(f"the response was not UTF-8 ({error.reason})", retryable=True, cause="damaged reply")
    except json.JSONDecodeError as error:
        return Failure(f"the response was not whole JSON ({error})", retryable=True, cause="damaged reply")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        told = f"the response was no transcription ({type(error).__name__}: {error})"
        return Failure(told, retryable=True, cause="damaged reply")


def timed_lines(segments: Sequence[tuple[float, float | None, str]]) -> list[str]:
    """Return ``2.4 s to 5.0 s: Hello.`` for segments (start in s, end in s or None, text) that hold text."""
    lines = []
    for start_s, end_s, text in segments:
        if text.strip():
            when = f"from {start_s:.1f} s" if end_s is None else f"{start_s:.1f} s to {end_s:.1f} s"
            lines.append(f"{when}: {text.strip()}")
    return lines


def _line(segment: Mapping[str, Any]) -> str:
    """Return a segment as a line, with its doubt; empty where it has no text."""
    speaker = segment.get("speaker")
    text = str(segment.get("text") or "").strip()
    said = f"speaker {speaker}: {text}" if speaker and text else text
    line = "".join(timed_lines([(float(segment["start"]), float(segment["end"]), said)]))
    silent = float(segment.get("no_speech_prob") or 0.0)
    unlikely = float(segment.get("avg_logprob") or 0.0) < UNLIKELY_LOG_PROBABILITY
    return (
        f"{line} (probably no speech: {silent:.2f})" if line and unlikely and silent > NO_SPEECH_PROBABILITY else line
    )


def _usage(data: Mapping[str, Any] | None) -> Usage:
    """Return the tokens; models that are paid by the minute tell none."""
    found = data or {}
    return Usage(int(found.get("input_tokens") or 0), int(found.get("output_tokens") or 0))
