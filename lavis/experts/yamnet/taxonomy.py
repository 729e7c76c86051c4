"""AudioSet's tree as far as evidence needs it: which class is the parent of which, and which are no events.

The parents are those of the AudioSet ontology (research.google.com/audioset/ontology). YAMNet's classes come in the
tree's order, so that a parent's children are a stretch of the list: each row names a parent and its last child.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

_LAST_CHILD = """
Speech: Speech synthesizer
Shout: Children shouting
Laughter: Chuckle, chortle
Crying, sobbing: Wail, moan
Singing: Humming
Chant: Mantra
Breathing: Snort
Cough: Throat clearing
Hands: Clapping
Crowd: Hubbub, speech noise, speech babble
Animal: Whale vocalization
Domestic animals, pets: Caterwaul
Dog: Whimper (dog)
Cat: Caterwaul
Livestock, farm animals, working animals: Honk
Horse: Neigh, whinny
Cattle, bovinae: Cowbell
Pig: Oink
Goat: Bleat
Fowl: Honk
Chicken, rooster: Crowing, cock-a-doodle-doo
Turkey: Gobble
Duck: Quack
Goose: Honk
Wild animals: Whale vocalization
Roaring cats (lions, tigers): Roar
Bird: Bird flight, flapping wings
Bird vocalization, bird call, bird song: Squawk
Pigeon, dove: Coo
Crow: Caw
Owl: Hoot
Rodents, rats, mice: Patter
Insect: Bee, wasp, etc.
Frog: Croak
Snake: Rattle
Music: Scary music
Musical instrument: Singing bowl
Plucked string instrument: Ukulele
Guitar: Strum
Keyboard (musical): Harpsichord
Piano: Electric piano
Organ: Hammond organ
Percussion: Steelpan
Drum kit: Drum machine
Drum: Tabla
Snare drum: Drum roll
Cymbal: Hi-hat
Mallet percussion: Steelpan
Brass instrument: Trombone
Bowed string instrument: Double bass
Wind instrument, woodwind instrument: Clarinet
Bell: Tuning fork
Chime: Wind chime
Wind: Wind noise (microphone)
Thunderstorm: Thunder
Water: Gurgling
Rain: Rain on surface
Ocean: Waves, surf
Fire: Crackle
Vehicle: Skateboard
Boat, Water vehicle: Ship
Motor vehicle (road): Traffic noise, roadway noise
Car: Race car, auto racing
Vehicle horn, car horn, honking: Toot
Truck: Ice cream truck, ice cream van
Emergency vehicle: Fire engine, fire truck (siren)
Rail transport: Subway, metro, underground
Train: Train wheels squealing
Aircraft: Fixed-wing aircraft, airplane
Engine: Accelerating, revving, vroom
Door: Knock
Doorbell: Ding-dong
Alarm: Steam whistle
Telephone: Busy signal
Siren: Civil defense siren
Mechanisms: Single-lens reflex camera
Clock: Tick-tock
Tools: Drill
Explosion: Boom
Gunshot, gunfire: Cap gun
Fireworks: Firecracker
Wood: Crack
Glass: Shatter
Liquid: Stir
"""
LAST_CHILD: Mapping[str, str] = dict(row.split(": ", 1) for row in _LAST_CHILD.split("\n") if row)
# Children of another place in the list.
ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "Vehicle": ("Engine",),
    "Alarm": ("Emergency vehicle", "Police car (siren)", "Ambulance (siren)"),
    "Siren": ("Police car (siren)", "Ambulance (siren)", "Fire engine, fire truck (siren)"),
}
# Where it was recorded, and what is no event.
SURROUNDINGS = (
    "Inside, small room",
    "Inside, large room or hall",
    "Inside, public space",
    "Outside, urban or manmade",
    "Outside, rural or natural",
)
NO_EVENTS = (*SURROUNDINGS, "Silence", "Sound effect", "Field recording", "Environmental noise")
SINGING = (
    "Singing",
    "Choir",
    "Yodeling",
    "Chant",
    "Child singing",
    "Synthetic singing",
    "Rapping",
    "Humming",
    "A capella",
    "Vocal music",
    "Opera",
)
# From the first genre to the last; moods follow.
GENRES = ("Pop music", "Dance music")
MOODS = ("Happy music", "Scary music")


@functools.lru_cache(maxsize=2)
def children(names: tuple[str, ...]) -> Mapping[int, tuple[int, ...]]:
    """Return the numbers of all descendants of each class that has any.

    Args:
        names: the classes in YAMNet's order. "Rattle" is there twice, as a snake's and as an instrument's.
    """
    place = {name: number for number, name in reversed(list(enumerate(names)))}
    found = {}
    for parent, last in LAST_CHILD.items():
        first = place[parent]
        more = [place[name] for name in ELSEWHERE.get(parent, ())]
        found[first] = (*range(first + 1, place[last] + 1), *more)
    return found


def between(names: tuple[str, ...], ends: tuple[str, str]) -> tuple[int, ...]:
    """Return the numbers of the classes from one to another, both among them."""
    return tuple(range(names.index(ends[0]), names.index(ends[1]) + 1))
