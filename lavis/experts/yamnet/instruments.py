"""Which instruments play: YAMNet's classes, checked against how their notes fade and how high they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from lavis.experts.yamnet.tagger import Tags

Floats = npt.NDArray[np.floating]

# How the level of a note runs after its start, in dB per s: held by breath or bow, ringing on, or gone at once.
HELD, RINGING, SHORT = 0, 1, 2
HELD_DB_PER_S, RINGING_DB_PER_S = -3.0, -50.0
# Scores are on YAMNet's scale (logits): the cost of one step of fading and of one octave out of range.
FADE_COST, OCTAVE_COST = 4.0, 6.0
# YAMNet names some classes for almost any tone; so much of a class's usual score is taken off.
USUAL_SHARE = 0.4
# What recorded performances rarely show is named only where it is clear.
RARE = -2.0
# A class of its parent or of a like instrument says less than the instrument's own.
PARENT = -2.0
# Windows in which less than this share of moments has a pitch are no single line; their pitch says nothing.
VOICED = 0.5


@dataclasses.dataclass(frozen=True)
class Instrument:
    """How an instrument is known.

    Attributes:
        classes: YAMNet's classes to what is added to their score.
        fading: HELD, RINGING or SHORT.
        range_hz: the pitches around which it usually plays; not its whole compass.
        prior: added to its score.
    """

    classes: Mapping[str, float]
    fading: int
    range_hz: tuple[float, float]
    prior: float = 0.0


# The instruments of MUSIC-AVQA (arXiv 2203.14072) that YAMNet has a class or a parent for, by its names, and others
# that it knows. It has none for erhu, pipa, suona, tuba, bassoon and congas: the last three are told by register.
INSTRUMENTS: Mapping[str, Instrument] = {
    "accordion": Instrument({"Accordion": 0}, HELD, (150, 900)),
    "acoustic guitar": Instrument({"Acoustic guitar": 0, "Guitar": -1, "Strum": -1}, RINGING, (100, 500)),
    "bagpipe": Instrument({"Bagpipes": 0}, HELD, (300, 900)),
    "banjo": Instrument({"Banjo": 0}, RINGING, (150, 700)),
    "bassoon": Instrument({"Wind instrument, woodwind instrument": -1.5}, HELD, (70, 220)),
    "cello": Instrument({"Cello": 0, "Bowed string instrument": PARENT}, HELD, (65, 300)),
    "clarinet": Instrument({"Clarinet": 0}, HELD, (150, 1200)),
    "congas": Instrument({"Tabla": 0, "Wood block": -1}, SHORT, (80, 400)),
    "drum": Instrument({"Drum kit": 0, "Drum": 0, "Drum machine": 0, "Snare drum": 0}, SHORT, (30, 9999)),
    "electric bass": Instrument({"Bass guitar": 0, "Synthesizer": -3}, RINGING, (41, 120)),
    "flute": Instrument({"Flute": 0}, HELD, (300, 2100)),
    "piano": Instrument({"Piano": 0, "Electric piano": -1}, RINGING, (130, 2000)),
    "saxophone": Instrument({"Saxophone": 0}, HELD, (110, 800)),
    "trumpet": Instrument({"Trumpet": 0}, HELD, (220, 1100)),
    "tuba": Instrument({"Trombone": -0.5, "Brass instrument": -0.5, "French horn": -0.5}, HELD, (35, 120)),
    "ukulele": Instrument({"Ukulele": 0}, RINGING, (260, 900)),
    "violin": Instrument({"Violin, fiddle": 0, "Bowed string instrument": -1}, HELD, (250, 2600)),
    "xylophone": Instrument({"Marimba, xylophone": 0, "Glockenspiel": 0, "Mallet percussion": 0}, SHORT, (350, 4200)),
    "zither (such as a guzheng)": Instrument({"Zither": 0}, RINGING, (100, 1000), RARE),
    "double bass": Instrument({"Double bass": 0}, HELD, (41, 120), RARE),
    "electric guitar": Instrument({"Electric guitar": 0}, HELD, (100, 700), 2 * RARE),
    "french horn": Instrument({"French horn": 0}, HELD, (90, 600), RARE),
    "harmonica": Instrument({"Harmonica": 0}, HELD, (260, 2100), RARE),
    "harp": Instrument({"Harp": 0}, RINGING, (65, 2000), RARE),
    "mandolin": Instrument({"Mandolin": 0}, RINGING, (200, 1000), RARE),
    "organ": Instrument({"Organ": 0, "Electronic organ": 0, "Hammond organ": 0}, HELD, (65, 2000), RARE),
    "sitar": Instrument({"Sitar": 0}, RINGING, (100, 700), RARE),
    "synthesizer": Instrument({"Synthesizer": 0}, HELD, (30, 4200), 2.5 * RARE),
    "trombone": Instrument({"Trombone": 0}, HELD, (90, 400), RARE),
}

# Mean scores of the classes over phrases on 23 General MIDI instruments (FluidR3 soundfont).
USUAL: Mapping[str, float] = {
    "Accordion": -16.2,
    "Acoustic guitar": -12.3,
    "Bagpipes": -21.3,
    "Banjo": -19.4,
    "Bass guitar": -13.6,
    "Bowed string instrument": -9.0,
    "Brass instrument": -12.3,
    "Cello": -13.3,
    "Clarinet": -16.5,
    "Double bass": -15.0,
    "Drum": -13.5,
    "Drum kit": -14.4,
    "Drum machine": -20.3,
    "Electric guitar": -12.3,
    "Electric piano": -12.3,
    "Electronic organ": -20.5,
    "Flute": -16.3,
    "French horn": -20.6,
    "Glockenspiel": -21.3,
    "Guitar": -9.3,
    "Hammond organ": -20.9,
    "Harmonica": -16.1,
    "Harp": -17.8,
    "Mallet percussion": -18.5,
    "Mandolin": -17.1,
    "Marimba, xylophone": -19.2,
    "Organ": -16.3,
    "Piano": -10.2,
    "Saxophone": -14.7,
    "Sitar": -23.2,
    "Snare drum": -19.0,
    "Strum": -11.9,
    "Synthesizer": -11.7,
    "Tabla": -26.4,
    "Trombone": -17.3,
    "Trumpet": -14.6,
    "Ukulele": -16.0,
    "Violin, fiddle": -9.9,
    "Wind instrument, woodwind instrument": -12.1,
    "Wood block": -25.1,
    "Zither": -21.1,
}


@dataclasses.dataclass(frozen=True)
class Physics:
    """How the notes of a stretch run.

    Attributes:
        fade_db_per_s: the usual change of level while it sounds; None where nothing does.
        pitch_hz: the middle pitch; None where it has none, or too many at once.
    """

    fade_db_per_s: float | None
    pitch_hz: float | None


def scores(tags: Tags, physics: Physics) -> Floats:
    """Return how well each of INSTRUMENTS fits a stretch [i], on YAMNet's scale.

    Args:
        tags: of the stretch.
        physics: of the stretch.
    """
    mean = dict(zip(tags.names, tags.logits.mean(axis=0).tolist(), strict=True))
    return np.array([_score(one, mean, physics) for one in INSTRUMENTS.values()])


def _score(one: Instrument, mean: Mapping[str, float], physics: Physics) -> float:
    tagged = max(mean[name] - USUAL_SHARE * USUAL[name] + more for name, more in one.classes.items())
    cost = 0.0
    if physics.fade_db_per_s is not None:
        fading = sum(physics.fade_db_per_s < limit for limit in (HELD_DB_PER_S, RINGING_DB_PER_S))
        cost += FADE_COST * abs(fading - one.fading)
    if physics.pitch_hz is not None:
        low, high = one.range_hz
        cost += OCTAVE_COST * max(0.0, np.log2(low / physics.pitch_hz), np.log2(physics.pitch_hz / high))
    return float(tagged + one.prior - cost)


def shares(score: Floats) -> Floats:
    """Return scores as shares of 1 [i]: how far each is ahead of the others."""
    power = np.exp(score - score.max())
    return np.asarray(power / power.sum())


def heard(tags: Tags) -> Floats:
    """Return the mean probability of each instrument's own classes over a stretch [i]; parents do not count."""
    mean = dict(zip(tags.names, tags.probabilities.mean(axis=0).tolist(), strict=True))
    return np.array(
        [max((mean[n] for n, more in one.classes.items() if more == 0), default=0.0) for one in INSTRUMENTS.values()]
    )
