"""`lavis extract`: media to the frames, flow, depth, normals and audio that the loaders read."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from lavis.common.dist_utils import state_of
from lavis.common.errors import ConfigError
from lavis.common.options import check_options
from lavis.common.registry import registry

# How an extractor for two cameras is called.
STEREO = "{}_stereo"


def run(arguments: list[str]) -> int:
    """Extract one modality of every medium below a folder; returns 1 if any medium failed."""
    options = _parser().parse_args(arguments)
    from lavis.extract.ranks import wait_for_ranks
    from lavis.extract.work import extract_all

    name = STEREO.format(options.modality) if options.stereo else options.modality
    extractor = registry.require("extractor", name)
    chosen = {key: value for key, value in vars(options.of_extractor).items() if value is not None}
    check_options(extractor, chosen, f"--modality {options.modality}")
    state = state_of(os.environ)
    outcome = extract_all(
        name,
        chosen,
        _media(options, extractor),
        options.out.absolute(),
        verify=options.verify,
        n_workers=options.workers,
        rank=state.rank,
        world_size=state.world_size,
    )
    sys.stdout.write(
        f"{options.out}: {outcome.done} media extracted, {outcome.kept} kept, {outcome.failed} failed"
        f"{', see failures.jsonl' if outcome.failed and state.world_size == 1 else ''}\n"
    )
    sys.stdout.flush()
    wait_for_ranks(state.rank, state.world_size)
    return 1 if outcome.failed else 0


def _media(options: argparse.Namespace, extractor: Any) -> list[Any]:
    from lavis.extract.media import find_media
    from lavis.extract.stereo import pair_media

    if bool(options.stereo) == bool(options.root):
        raise ConfigError("name the folder of media with --in, or those of two cameras with --stereo LEFT RIGHT.")
    root, *right = options.stereo or [options.root]
    out = options.out.resolve()
    for place in (root, *right):
        if out == place.resolve() or out.is_relative_to(place.resolve()):
            raise ConfigError(f"--out {options.out} lies in {place}, where it would be taken for media; name another.")
    kinds = {"files": extractor.files, "folders": extractor.folders}
    media = find_media(root.absolute(), **kinds)
    if right:
        media = pair_media(media, find_media(right[0].absolute(), **kinds))
    return media[: options.limit]


class _OfExtractor(argparse.Action):
    """Keeps an option that the extractor is made with apart from those of the command."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        setattr(namespace.of_extractor, self.dest, values)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lavis extract",
        description="Make a modality of every medium below a folder: <out>/<id> for <in>/<id>.mp4 or <in>/<id>/. "
        "Started again, it goes on where it was stopped. Under torchrun each rank takes its share.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="An option that the modality does not take is an error that names those it takes.",
    )
    parser.set_defaults(of_extractor=argparse.Namespace())
    names = [name for name in registry.list_names("extractor") if not name.endswith(STEREO.format(""))]
    parser.add_argument("--modality", required=True, metavar="NAME", help=", ".join(names))
    parser.add_argument("--in", dest="root", type=Path, metavar="FOLDER", help="videos, or folders of images, by id")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where it is written")
    parser.add_argument(
        "--stereo", nargs=2, type=Path, metavar=("LEFT", "RIGHT"), help="two rectified cameras instead of --in"
    )
    parser.add_argument("--workers", type=_above_0, default=1, metavar="N", help="processes (default 1)")
    parser.add_argument("--limit", type=_above_0, metavar="N", help="only the first N media, by id")
    parser.add_argument(
        "--verify", action=argparse.BooleanOptionalAction, default=True, help="read each medium back (default)"
    )
    made = parser.add_argument_group("what is made")
    for flag, more in FLAGS.items():
        made.add_argument(flag, action=_OfExtractor, **more)
    return parser


def _above_0(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number above 0")
    return int(text)


FLAGS: dict[str, dict[str, Any]] = {
    "--layout": {"metavar": "NAME", "help": "float, image, …: how it is stored"},
    "--fps": {"metavar": "HZ|all", "help": "pictures per s (frames: 3, CREMA's; else all)"},
    "--fps-rule": {
        "metavar": "RULE",
        "help": "shown: the frame on the screen at k/fps (default); ffmpeg: its rounding",
    },
    "--rate-hz": {"type": float, "metavar": "HZ", "help": "frames per s of media that are folders"},
    "--size-px": {"type": int, "nargs": 2, "metavar": ("HEIGHT", "WIDTH"), "help": "bring pictures to this size first"},
    "--quality": {"type": int, "metavar": "1-100", "help": "frames: of JPEG (95)"},
    "--preset": {"metavar": "NAME", "help": "flow: of DIS: ultrafast, fast, medium (default)"},
    "--range-px": {"type": float, "nargs": 2, "metavar": ("LOW", "HIGH"), "help": "flow images: px of codes 0 and 255"},
    "--model": {"metavar": "FOLDER|NAME", "help": "depth: a depth-estimation model of transformers, safetensors only"},
    "--unit": {"metavar": "NAME", "help": "depth: what the model gives: m, depth or disparity"},
    "--device": {"metavar": "NAME", "help": "depth: cpu, cuda, cuda:1"},
    "--batch": {"type": int, "metavar": "N", "help": "depth: pictures at a time (4)"},
    "--focal-px": {"type": float, "metavar": "PX", "help": "stereo and normals: focal length"},
    "--baseline-m": {"type": float, "metavar": "M", "help": "stereo: distance of the cameras"},
    "--max-disparity-px": {"type": int, "metavar": "PX", "help": "stereo: a multiple of 16 (128)"},
    "--fov-deg": {"type": float, "metavar": "DEG", "help": "normals: angle of view across the width (60)"},
    "--scale-m": {"type": float, "metavar": "M", "help": "normals: metres per unit of the depth maps"},
    "--sample-rate-hz": {"type": int, "metavar": "HZ", "help": "audio (16000)"},
}
