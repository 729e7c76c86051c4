"""Music as words: which instruments play, when, on which side, how loud, how fast, and whether someone sings."""

from __future__ import annotations

import numpy as np

from lavis.common.errors import ConfigError
from lavis.datasets.loaders.base import Array, Clip
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.ensemble import NAMES, SURE, Part, each_side, find_parts
from lavis.experts.listening import GAP_S, Listening, listen, spans_s, told_spans
from lavis.experts.stereo import Sides, compare, level_db
from lavis.experts.tempo import count_onsets, find_tempo
from lavis.experts.words import capital, count_word, counted, listed
from lavis.experts.yamnet import CLASSES, MODEL, Tags, shared_tagger
from lavis.experts.yamnet.log_mel import RATE_HZ, log_mel
from lavis.experts.yamnet.players import Players, find_players
from lavis.experts.yamnet.taxonomy import GENRES, MOODS, SINGING, between

MUSIC, VOICE = 0.3, 0.3
STYLE = 0.1
# What by its name alone has less than this share is not told as perhaps playing beside.
BESIDE, MAX_BESIDE = 0.05, 3
MAX_SPANS = 4
# One instrument plays longer, or louder, only where it is by this much.
LOUDER_DB, DENSER = 2.0, 1.25


class MusicExpert(Expert):
    """Describes music by YAMNet's names, the physics of notes, levels and rhythm.

    Instruments that YAMNet has no name for are told as the nearest one: erhu as violin, pipa or guzheng as another
    plucked string instrument, suona as another wind instrument. In a mix mostly the one in front is recognised.

    Args:
        max_instruments: at most so many are told, the surest and longest first.
    """

    card = ExpertCard(
        name="music",
        modality="audio",
        skill="B3",
        summary="instruments that play, how many kinds, when and on which side each does, loudness, tempo, singing",
        version="1",
        cost="local",
    )
    weights = (MODEL, CLASSES)
    packages = ("onnxruntime",)

    def __init__(self, *, max_instruments: int = 6) -> None:
        if max_instruments < 1:
            raise ConfigError(f"model.experts.music: max_instruments is 1 or more, not {max_instruments}.")
        self.max_instruments = max_instruments

    def write(self, clip: Clip) -> str:
        """Describe the music of a sound.

        Args:
            clip: audio [n] float32 at 16 kHz, full scale 1; ``extras["channels"]`` [2, n] where it is stereo.

        Returns:
            A line each for the instruments (``- violin (0.91): 4.0 to 12.0 s, on the left``), their number, their
            order and loudness, what else may play, tempo, voices and style.

        Raises:
            ModalityError: shorter than 25 ms, or not at 16 kHz.
            WeightsError: the tagger's files are not in the cache; says how to fetch them.
        """
        heard = listen(clip)
        if heard.is_silent:
            return f"The sound is {heard.length_s:.1f} s long and silent throughout: there is no music."
        tags = shared_tagger().tag(heard.sound)
        players = find_players(heard.sound, heard.levels, tags)
        music = _mean(tags, "Music")
        voices = _voices(tags, heard.length_s)
        most = float(tags.smoothed()[:, tags.names.index("Music")].max())
        if most < MUSIC or not players.sounding.any():
            return "\n".join([f"Probably no music is heard (probability at most {most:.2f}).", *heard.notes, *voices])
        channels = clip.extras.get("channels")
        sides = None if channels is None else compare(channels)
        apart = each_side(channels) if channels is not None and sides is not None and sides.differ else None
        parts = find_parts(players, apart)[: self.max_instruments]
        lines = [f"Music of {heard.length_s:.1f} s (probability {music:.2f}):", *heard.notes]
        lines += _instruments(parts, players, heard)
        lines += _loudness(parts, heard, sides, channels)
        tempo = find_tempo(log_mel(heard.sound))
        lines.append(str(tempo) if tempo is not None else "No regular beat is found.")
        return "\n".join([*lines, *voices, *_style(tags)])


def _instruments(parts: list[Part], players: Players, heard: Listening) -> list[str]:
    named = [part.name for part in parts]
    if not parts:
        order = np.argsort(-players.overall, kind="stable")[:MAX_BESIDE]
        told = ", ".join(f"{NAMES[number]} ({players.overall[number]:.2f})" for number in order)
        return [f"No instrument is recognised with confidence; the nearest: {told}."]
    lines = [
        f"- {part.told} ({part.confidence:.2f}): {told_spans(list(part.spans_s), MAX_SPANS)}"
        + {"": "", "centre": ", on both sides"}.get(part.side, f", on the {part.side}")
        for part in parts
    ]
    n_sure = sum(part.confidence >= SURE for part in parts)
    if n_sure:
        are = "is" if n_sure == 1 else "are"
        lines.append(f"{capital(counted(n_sure, 'kind'))} of instrument {are} recognised clearly; there may be more.")
    else:
        lines.append("Which and how many kinds of instrument play is not certain.")
    if len(parts) > 1:
        entry = sorted(parts, key=lambda part: (part.spans_s[0][0], named.index(part.name)))
        together = entry[0].spans_s[0][0] == entry[-1].spans_s[0][0]
        order_told = "They begin together." if together else f"In order of entry: {', '.join(p.name for p in entry)}."
        lines.append(order_told)
    always = [part.name for part in parts if part.plays_s >= 0.9 * _sounding_s(players)]
    if always:
        lines.append(f"Playing all the time that anything sounds: {listed(always)}.")
    beside = [
        (float(players.beside[number]), NAMES[number])
        for number in np.argsort(-players.beside, kind="stable")
        if NAMES[number] not in named and players.beside[number] >= BESIDE
    ][:MAX_BESIDE]
    if beside:
        lines.append(
            f"If more play than these, perhaps: {', '.join(f'{name} ({share:.2f})' for share, name in beside)}."
        )
    return lines


def _sounding_s(players: Players) -> float:
    return sum(
        end_s - start_s for (start_s, end_s), sounds in zip(players.spans_s, players.sounding, strict=True) if sounds
    )


def _loudness(parts: list[Part], heard: Listening, sides: Sides | None, channels: Array | None) -> list[str]:
    lines = ["The recording is mono: sides cannot be told."] if sides is None else [str(sides)]
    if sides is not None and sides.differ and channels is not None:
        by_side = {side: [part for part in parts if part.side == side] for side in ("left", "right")}
        if all(len(found) == 1 for found in by_side.values()):
            (left,), (right,) = by_side["left"], by_side["right"]
            lines.append(_compared(left.name, sides.left_db, right.name, sides.right_db))
            counts = [count_onsets(log_mel(channel)) for channel in channels]
            lines.append(_rhythm(left.name, counts[0], right.name, counts[1]))
            return lines
    alone = {part.name: _alone_db(part, parts, heard) for part in parts}
    known = [(name, level) for name, level in alone.items() if level is not None]
    if len(known) >= 2:
        (first, first_db), (second, second_db) = known[:2]
        lines.append(f"{_compared(first, first_db, second, second_db)[:-1]}, each where it plays alone.")
    elif len(parts) > 1:
        lines.append(f"In this mix it cannot be measured which is louder; {parts[0].name} is recognised most clearly.")
    return lines


def _alone_db(part: Part, parts: list[Part], heard: Listening) -> float | None:
    """Return the level of an instrument where no other plays, None where there is no such time."""
    alone = np.zeros(len(heard.sound), dtype=np.bool_)
    for other in [part, *(one for one in parts if one is not part)]:
        for start_s, end_s in other.spans_s:
            alone[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)] = other is part
    return level_db(heard.sound[alone]) if alone.sum() >= RATE_HZ else None


def _compared(first: str, first_db: float, second: str, second_db: float) -> str:
    ahead_db = first_db - second_db
    if abs(ahead_db) < LOUDER_DB:
        return f"{capital(first)} and {second} are about equally loud."
    louder, softer = (first, second) if ahead_db > 0 else (second, first)
    return f"{capital(louder)} is {abs(ahead_db):.0f} dB louder than {softer}."


def _rhythm(first: str, n_first: int, second: str, n_second: int) -> str:
    told = f"{first} has {counted(n_first, 'onset')}, {second} {count_word(n_second)}"
    if max(n_first, n_second) < DENSER * max(1, min(n_first, n_second)):
        return f"Rhythm: {told}: about the same."
    return f"Rhythm: {told}: {first if n_first > n_second else second} is the more rhythmic."


def _mean(tags: Tags, name: str) -> float:
    return float(tags.probabilities[:, tags.names.index(name)].mean())


def _voices(tags: Tags, length_s: float) -> list[str]:
    """Return whether there is singing and speech, and when."""
    lines = []
    for verb, names in (("Singing", SINGING), ("Speech", ("Speech",))):
        chance = tags.smoothed()[:, [tags.names.index(name) for name in names]].max(axis=1)
        runs = spans_s(chance >= VOICE, list(tags.spans_s), gap_s=GAP_S)
        if runs:
            told = told_spans([(start_s, min(end_s, length_s)) for start_s, end_s, _ in runs], MAX_SPANS)
            mean = float(np.concatenate([chance[numbers] for _, _, numbers in runs]).mean())
            lines.append(f"{verb} is heard: {told} ({mean:.2f}).")
        else:
            lines.append(f"No {verb.lower()} is recognised (at most {float(chance.max()):.2f}).")
    return lines


def _style(tags: Tags) -> list[str]:
    mean = tags.probabilities.mean(axis=0)
    lines = []
    for what, ends in (("Style", GENRES), ("Mood", MOODS)):
        order = sorted(between(tags.names, ends), key=lambda number: (-mean[number], number))[:3]
        told = [f"{tags.names[number]} ({mean[number]:.2f})" for number in order if mean[number] >= STYLE]
        if told:
            lines.append(f"{what}, perhaps: {', '.join(told)}.")
    return lines
