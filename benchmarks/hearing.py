"""What the listening experts hear: words of a known text, instruments and sides of played phrases, and their times.

python benchmarks/hearing.py [--phrases 3]

The recording is fetched with ``lavis weights fetch speech_two_cities``. Instruments are played by fluidsynth
(``apt install fluidsynth timgm6mb-soundfont fluid-soundfont-gm``) from MIDI that mido writes (``pip install mido``);
every soundfont that is found is measured; without them that part says that it was skipped.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from lavis.common.errors import WeightsError
from lavis.common.weights import weights_path
from lavis.datasets.loaders.audio import AudioLoader
from lavis.datasets.loaders.base import Clip

# Charles Dickens, A Tale of Two Cities (1859), in the public domain.
OPENING = """It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of
foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season
of Darkness, it was the spring of hope, it was the winter of despair, we had everything before us, we had nothing before
us, we were all going direct to Heaven, we were all going direct the other way - in short, the period was so far like
the present period, that some of its noisiest authorities insisted on its being received, for good or for evil, in the
superlative degree of comparison only."""
SOUNDFONTS = Path("/usr/share/sounds/sf2")
# MUSIC-AVQA's instruments that General MIDI has: program and the note around which a phrase lies. It has no erhu,
# guzheng, pipa, suona and ukulele.
PROGRAMS = {
    "accordion": (21, 64),
    "acoustic guitar": (24, 52),
    "bagpipe": (109, 67),
    "banjo": (105, 62),
    "bassoon": (70, 46),
    "cello": (42, 48),
    "clarinet": (71, 64),
    "electric bass": (33, 36),
    "flute": (73, 76),
    "piano": (0, 60),
    "saxophone": (65, 62),
    "trumpet": (56, 67),
    "tuba": (58, 38),
    "violin": (40, 74),
    "xylophone": (13, 76),
}
# Percussion is played on channel 10: notes by eighth.
STROKES = {"congas": ([63], [64], [62], [64]), "drum": ([36, 42], [42], [38, 42], [42])}
DUETS = (
    ("violin", "piano"),
    ("trumpet", "drum"),
    ("flute", "acoustic guitar"),
    ("cello", "piano"),
    ("clarinet", "piano"),
    ("saxophone", "electric bass"),
    ("flute", "cello"),
    ("accordion", "violin"),
    ("xylophone", "flute"),
    ("bagpipe", "drum"),
)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def word_errors(said: list[str], heard: list[str]) -> int:
    """Return the least number of words to change, leave out or add."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(said, 1):
        previous, row[0] = row[0], number
        for place, other in enumerate(heard, 1):
            previous, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, previous + (word != other))
    return row[-1]


def measure_speech() -> None:
    from lavis.experts.speech import SpeechExpert

    try:
        path = weights_path("speech_two_cities")
    except WeightsError as error:
        print(f"speech: skipped, the recording is absent ({error})")
        return
    clip = AudioLoader().load(path, media_id="two_cities")
    for beam_size in (5, 1):
        expert = SpeechExpert(beam_size=beam_size)
        start = time.perf_counter()
        text = expert.write(clip)
        seconds = time.perf_counter() - start
        heard = words(" ".join(line.split(" s: ", 1)[1] for line in text.splitlines() if line.startswith("- ")))
        errors = word_errors(words(OPENING), heard)
        print(
            f"speech, beam {beam_size}: {errors} errors in {len(words(OPENING))} words, word error rate "
            f"{100 * errors / len(words(OPENING)):.1f} %, {seconds:.1f} s for {len(clip.array) / 16000:.0f} s"
        )


def play(name: str, soundfont: Path, phrase: int, folder: Path) -> np.ndarray:
    """Return a phrase of 16 notes on an instrument, [n] float32 with its peak at 0.6."""
    import mido

    rng = np.random.default_rng(100 + phrase)
    track = mido.MidiTrack()
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(track)
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(float(rng.integers(80, 130)))))
    if name in STROKES:
        channel, notes = 9, [STROKES[name][k % 4] for k in range(32)]
        ticks = [240] * 32
    else:
        program, centre = PROGRAMS[name]
        track.append(mido.Message("program_change", program=program, time=0))
        channel, notes = 0, [[centre + int(step)] for step in rng.integers(-7, 12, 16)]
        ticks = [int(tick) for tick in rng.choice([240, 480, 720], 16)]
    for chord, length in zip(notes, ticks, strict=True):
        velocity = int(rng.integers(75, 110))
        for note in chord:
            track.append(mido.Message("note_on", channel=channel, note=note, velocity=velocity, time=0))
        for number, note in enumerate(chord):
            track.append(mido.Message("note_off", channel=channel, note=note, time=0 if number else length))
    file.save(folder / "phrase.mid")
    out = folder / "phrase.wav"
    subprocess.run(
        ["fluidsynth", "-ni", "-q", "-r", "44100", "-g", "0.8", "-F", str(out), str(soundfont), folder / "phrase.mid"],
        check=True,
        capture_output=True,
    )
    sound = AudioLoader(max_channels_s=0).load(out, media_id=name).array
    return np.asarray(0.6 * sound / np.abs(sound).max(), dtype=np.float32)


def clip_of(left: np.ndarray, right: np.ndarray | None = None) -> Clip:
    if right is None:
        return Clip("played", "audio", left, "n", "16 kHz mono", Path("played.wav"), rate_hz=16000.0)
    n_samples = min(len(left), len(right))
    both = np.stack([left[:n_samples], right[:n_samples]])
    mono = both.mean(axis=0)
    return Clip("played", "audio", mono, "n", "16 kHz", Path("played.wav"), rate_hz=16000.0, extras={"channels": both})


def named(text: str) -> dict[str, str]:
    """Return the instruments of evidence in its order, with their sides; the nearest one where none is named."""
    found = re.findall(
        r"^- (?:probably )?([a-z ]+?) \([\d.a-z ]+\).*?(?:, on the (left|right)|, on both sides)?$", text, re.M
    )
    if not found:
        found = re.findall(r"the nearest: ([a-z ]+?) \(()", text)
    return dict(found)


def measure_music(n_phrases: int) -> None:
    from lavis.experts.music import MusicExpert

    soundfonts = sorted(path for path in SOUNDFONTS.glob("*.sf2") if not path.is_symlink())
    missing = [name for name in ("fluidsynth",) if shutil.which(name) is None]
    missing += [name for name in ("mido",) if importlib.util.find_spec(name) is None]
    if missing or not soundfonts:
        print(f"music: skipped, not installed: {', '.join(missing) or 'a soundfont in ' + str(SOUNDFONTS)}")
        return
    names = [*PROGRAMS, *STROKES]
    for soundfont in soundfonts:
        with tempfile.TemporaryDirectory() as folder:
            played = {
                (name, phrase): play(name, soundfont, phrase, Path(folder))
                for name in names
                for phrase in range(n_phrases)
            }
        first, n_named, wrong = 0, 0, []
        for (name, phrase), sound in played.items():
            heard = list(named(MusicExpert().write(clip_of(sound))))
            n_named += len(heard)
            first += heard[:1] == [name]
            wrong += [] if heard[:1] == [name] else [f"{name} {phrase}: {', '.join(heard) or 'nothing'}"]
        print(
            f"music, {soundfont.name}: {first} of {len(played)} phrases ({100 * first / len(played):.0f} %) have the "
            f"right instrument first, {n_named / len(played):.2f} are named per phrase"
        )
        print("  wrong: " + "; ".join(wrong))
        measure_duets(soundfont.name, {name: played[name, 0] for name in names}, MusicExpert())


def measure_duets(soundfont: str, played: dict[str, np.ndarray], expert: object) -> None:
    """Measure two instruments at once: on a side each, each also 10 dB softer on the other side, and mixed."""
    for what, other in (("hard left and right", 0.0), ("10 dB apart", 0.316)):
        n_right = n_named = 0
        for pair in DUETS:
            for left, right in (pair, pair[::-1]):
                one, two = played[left], played[right]
                n_samples = min(len(one), len(two))
                one, two = one[:n_samples], two[:n_samples]
                text = expert.write(clip_of(one + other * two, two + other * one))  # type: ignore[attr-defined]
                sides = named(text)
                n_named += (left in sides) + (right in sides)
                n_right += (sides.get(left) == "left") + (sides.get(right) == "right")
        n_all = 4 * len(DUETS)
        print(f"  duets, {what}: {n_named} of {n_all} instruments named, {n_right} on the right side")
    n_first = n_both = 0
    for one, two in DUETS:
        n_samples = min(len(played[one]), len(played[two]))
        heard = list(named(expert.write(clip_of(0.5 * (played[one][:n_samples] + played[two][:n_samples])))))  # type: ignore[attr-defined]
        n_first += heard[0] in (one, two)
        n_both += {one, two} <= set(heard)
    print(f"  duets, mixed to mono: {n_first} of {len(DUETS)} have one of both first, {n_both} have both")


def chime(hz: float) -> np.ndarray:
    """Return half a second of a struck tone, [n] float32."""
    time_s = np.arange(8000) / 16000
    tone = sum(np.sin(2 * np.pi * hz * k * time_s) / k for k in (1, 2, 3, 4)) * np.exp(-6 * time_s)
    return np.asarray(0.2 * tone, dtype=np.float32)


def measure_times() -> None:
    """Measure a minute of stereo music, and the start of each expert in a process of its own."""
    code = (
        "import time; a = time.perf_counter(); from lavis.experts.{0} import {1}; import numpy as np; "
        "from lavis.datasets.loaders.base import Clip; from pathlib import Path; "
        "sound = np.random.default_rng(0).normal(0, 0.05, 16000).astype(np.float32); "
        "{1}().write(Clip('m', 'audio', sound, 'n', '', Path('m'), rate_hz=16000.0)); {2}"
        "print(f'{{time.perf_counter() - a:.2f}}')"
    )
    load = "from lavis.experts.speech import shared_whisper; shared_whisper(); "
    notes = [chime(220.0 * 2 ** (step / 12)) for step in (0, 4, 7, 12, 7, 4) * 20]
    left = np.concatenate(notes)
    clip = clip_of(left, np.roll(left, 24000) * np.float32(0.5))
    for module, name in (("sound_events", "SoundEventsExpert"), ("music", "MusicExpert"), ("speech", "SpeechExpert")):
        script = code.format(module, name, load if module == "speech" else "")
        start = subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, text=True
        ).stdout.strip()
        expert = getattr(importlib.import_module(f"lavis.experts.{module}"), name)()
        text = expert.write(clip)
        assert module != "music" or text.startswith("Music of 60.0 s"), text
        begin = time.perf_counter()
        expert.write(clip)
        print(f"{module}: starts in {start} s; 60 s of stereo music in {time.perf_counter() - begin:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phrases", type=int, default=3, help="played on each instrument")
    arguments = parser.parse_args()
    measure_speech()
    measure_music(arguments.phrases)
    measure_times()


if __name__ == "__main__":
    main()
