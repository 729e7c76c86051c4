"""Questions that only looking answers: pictures, colours (frames), the walk (flow), space (depth), planes (normals)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lavis.datasets.loaders.sampling import interval_midpoints
from lavis.datasets.sample.candidates import YES_NO, Candidate, article, stable_number, yes_no
from lavis.datasets.sample.places import free_way_m
from lavis.datasets.sample.plan import COLORS, Room, Walk
from lavis.datasets.sample.rooms import PHOTO_SHOWS
from lavis.datasets.sample.views import View

# Any sampling of 4 frames or more has its last one after this; the answer must hold on all from here.
END_FROM = 23
SEEN_SHARE = 0.03
USUAL_SAMPLINGS = (4, 8, 16)
CLEARLY = 0.08
CEILING_SHARE = 0.03
NEARER = 0.12
FAR_AHEAD_M, NEAR_AHEAD_M, AHEAD_M = 2.4, 1.6, 2.0
SIDES = ("left", "right")


def ask_frames(room: Room, views: Sequence[View]) -> Iterator[Candidate]:
    """Yield questions on the walls' colour and on the picture, if it is well in view in the walk."""
    other = _other(
        room.wall, [name for name in COLORS if name not in ("black", room.wall, *_LIKE.get(room.wall, ()))], room
    )
    about = "color of walls"
    yield Candidate("What color are the walls of this room?", room.wall, "frames", about)
    yield Candidate(f"Are the walls of this room {room.wall}?", "yes", "frames", about, YES_NO)
    yield Candidate(f"Are the walls of this room {other}?", "no", "frames", about, YES_NO)
    yield Candidate(
        f"Which color do the walls of this room have, {_either(room.wall, other)}?", room.wall, "frames", about
    )
    pictures = [(number, thing) for number, thing in enumerate(room.things, start=1) if thing.shows]
    if len(pictures) != 1 or not _well_seen(views, pictures[0][0]):
        return
    shown = pictures[0][1].shows
    wrong = _other(shown, [name for name in PHOTO_SHOWS.values() if name != shown], room)
    about = "content of picture"
    yield Candidate("What is shown in the picture on the wall?", shown, "frames", about)
    text = f"Which is shown in the picture on the wall, {_either(article(shown), article(wrong))}?"
    yield Candidate(text, shown, "frames", about)
    for asked in (shown, wrong):
        yes = yes_no(asked == shown)
        verb = "Are there" if asked == "coins" else "Is there"
        yield Candidate(f"{verb} {article(asked)} in the picture on the wall?", yes, "frames", about, YES_NO)
        yield Candidate(f"Can I see {article(asked)} in the picture on the wall?", yes, "frames", about, YES_NO)
        yield Candidate(f"Does the picture on the wall show {article(asked)}?", yes, "frames", about, YES_NO)


def _well_seen(views: Sequence[View], number: int) -> bool:
    """Return whether a thing is large in at least one frame of each usual sampling."""
    samplings = [interval_midpoints(len(views), n_frames) for n_frames in USUAL_SAMPLINGS]
    return all(max(views[index].seen.get(number, 0.0) for index in one) >= SEEN_SHARE for one in samplings)


# Colours that a wall's shades may come near to.
_LIKE = {
    "beige": ("white", "yellow", "brown", "orange", "grey", "pink"),
    "white": ("grey", "beige"),
    "pink": ("red", "purple", "beige"),
    "purple": ("pink", "blue"),
    "yellow": ("beige", "orange", "brown"),
    "blue": ("purple",),
}


def _other(right: str, choices: list[str], room: Room) -> str:
    return sorted(choices)[stable_number(f"{room.scene_id} not {right}") % len(choices)]


def _either(right: str, wrong: str) -> str:
    swap = stable_number(right + wrong) % 2
    return f"{wrong} or {right}" if swap else f"{right} or {wrong}"


def ask_flow(walk: Walk) -> Iterator[Candidate]:
    """Yield questions on how the camera came to the stand where it ends."""
    turns = [amount for kind, amount in walk.moves if kind == "turn"]
    ways = [amount for kind, amount in walk.moves if kind == "walk"]
    if len(turns) == 1:
        side = "left" if turns[0] > 0 else "right"
        about = "turn on the way"
        yield Candidate("Which way did I turn on the way here, left or right?", side, "flow", about, SIDES)
        yield Candidate("In which direction did I turn on the way here, left or right?", side, "flow", about, SIDES)
        for asked in SIDES:
            text = f"Did I turn to the {asked} on the way here?"
            yield Candidate(text, yes_no(asked == side), "flow", about, YES_NO)
            text = f"Is it to the {asked} that I turned on the way here?"
            yield Candidate(text, yes_no(asked == side), "flow", about, YES_NO)
    if len(ways) == 1:
        direction = "forward" if ways[0] > 0 else "backward"
        text = "How did I walk on the way here, forward or backward?"
        yield Candidate(text, direction, "flow", "walk on the way", ("forward", "backward"))
    if len(walk.moves) == 2:
        first = walk.moves[0][0]
        text = "What did I do first on the way here, turn or walk?"
        yield Candidate(text, first, "flow", "first move on the way", ("turn", "walk"))


def ask_depth(room: Room, walk: Walk, views: Sequence[View]) -> Iterator[Candidate]:
    """Yield questions on what is near in the last views, where all of them agree by a margin."""
    last = views[END_FROM:]
    side = last[-1].nearest_side
    if side and all(view.nearest_side == side and _clearly_nearer(view) for view in last):
        about = "nearer side of the view"
        yield Candidate("Which side of my view is closer to me, left or right?", side, "depth", about, SIDES)
        for asked, other in (SIDES, SIDES[::-1]):
            text = f"Is the {asked} side of my view closer to me than the {other} side?"
            yield Candidate(text, yes_no(asked == side), "depth", about, YES_NO)
    free_m = min(free_way_m(room, walk.end), *(view.ahead_m for view in last))
    blocked_m = max(free_way_m(room, walk.end), *(view.ahead_m for view in last))
    if free_m >= FAR_AHEAD_M or blocked_m <= NEAR_AHEAD_M:
        free = free_m >= FAR_AHEAD_M
        about = "space ahead"
        text = "Can I walk two meters straight ahead without bumping into anything?"
        yield Candidate(text, yes_no(free), "depth", about, YES_NO)
        text = "Do I have more than two meters of free space straight ahead?"
        yield Candidate(text, yes_no(free), "depth", about, YES_NO)
        text = "How much free space is straight ahead of me, more or less than two meters?"
        yield Candidate(text, "more" if free else "less", "depth", about, ("more", "less"))


def _clearly_nearer(view: View) -> bool:
    pairs = zip(view.near_left_m, view.near_right_m, strict=True)
    return all(abs(left - right) >= NEARER * min(left, right) for left, right in pairs)


def ask_normals(views: Sequence[View]) -> Iterator[Candidate]:
    """Yield questions on floor, walls and ceiling in the last views, where all agree with and without furniture."""
    last = views[END_FROM:]
    more_wall = all(min(view.wall - view.floor, view.upright - view.level_up) >= CLEARLY for view in last)
    more_floor = all(min(view.floor - view.wall, view.level_up - view.upright) >= CLEARLY for view in last)
    if more_wall or more_floor:
        about = "floor or wall in the view"
        answer = "wall" if more_wall else "floor"
        among = ("wall", "floor")
        yield Candidate("Is more of my view wall or floor?", answer, "normals", about, among)
        yield Candidate("What fills more of my view, wall or floor?", answer, "normals", about, among)
        yield Candidate(
            "Does the floor fill more of my view than the walls?", yes_no(more_floor), "normals", about, YES_NO
        )
    seen, unseen = (
        all(view.ceiling >= CEILING_SHARE for view in last),
        all(view.ceiling == 0 == view.level_down for view in last),
    )
    if seen or unseen:
        yield Candidate("Can I see the ceiling in my view?", yes_no(seen), "normals", "ceiling in the view", YES_NO)
        yield Candidate("Is the ceiling visible in my view?", yes_no(seen), "normals", "ceiling in the view", YES_NO)
