"""`lavis ask`: one question about a file or folder of yours, answered by the experts that can look at it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lavis.common.errors import LavisError
from lavis.common.secrets import redact

if TYPE_CHECKING:
    from lavis.datasets.question import Question
    from lavis.models.mexa_models.mexa_aggregator import MexaAggregator
    from lavis.models.mexa_models.workbench import Workbench

MAX_OPTIONS = 26
EPILOG = """examples:
  lavis ask "What is said about the exam?" --media talk.mp4
  lavis ask "How many chairs are behind me?" --media sample:sqa3d
  lavis ask "Which animal is it?" --media photo.jpg --option cat --option dog

MEDIA is a video, a sound, a picture, a PDF, a table, a scan; a folder of pictures; a folder with frames/, depth/,
audio.wav, instances.json, captions.json, pose.json … of one medium; a folder of a benchmark with the same folders for
many media, one of which --medium names; or sample:NAME, a sample that this project makes (lavis list sample).
"""


def run(arguments: list[str]) -> int:
    """Answer one question; the status is 0 if it was answered, 1 if not."""
    given = _read(arguments)
    try:
        return _ask(given)
    except LavisError as error:
        sys.stderr.write(redact(f"lavis ask: {str(error).removeprefix('Question asked: ')}\n"))
        return 1


def _read(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="lavis ask",
        allow_abbrev=False,
        description="Ask one question about a medium.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("question", help="the question, in quotes")
    parser.add_argument("--media", required=True, metavar="MEDIA", help="a file, a folder or sample:NAME; see below")
    parser.add_argument("--medium", metavar="ID", help="which of the media of a folder or sample")
    parser.add_argument("--as", dest="modality", metavar="MODALITY", help="what the file is (lavis list loader)")
    parser.add_argument("--option", action="append", default=[], metavar="TEXT", help="a possible answer; repeat it")
    parser.add_argument("--situation", metavar="TEXT", help="where you are, in words")
    parser.add_argument(
        "--pose",
        nargs="+",
        type=float,
        metavar="N",
        help="where you are: X Y Z in m and the direction of your gaze in degrees from the x axis towards the y axis; "
        "or SQA3D's seven numbers",
    )
    parser.add_argument("--experts", metavar="A,B", help="these experts only; default: all that can look here")
    parser.add_argument("--selector", default="rules", metavar="TYPE", help="rules (default), llm, all, none, …")
    parser.add_argument("--reasoner", default="embedded", metavar="TYPE", help="embedded (default), openai, …")
    parser.add_argument("--plugin", action="append", default=[], metavar="FILE", help="Python file of your own")
    parser.add_argument("--offline", action="store_true", help="fetch nothing: leave out experts that lack files")
    parser.add_argument("--full", action="store_true", help="show all of the evidence")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--options",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="as for a run: model.reasoner.model=…; and options of loaders: media.frame.rate_hz=8",
    )
    given = parser.parse_args(arguments)
    given.option = [option.strip() for option in given.option]
    if not given.question.strip():
        parser.error("the question is empty")
    if not all(given.option) or len(set(given.option)) < len(given.option):
        parser.error("every --option must say something, and something else than the others")
    if len(given.option) == 1 or len(given.option) > MAX_OPTIONS:
        parser.error(f"give no --option, or 2 to {MAX_OPTIONS}")
    if given.pose is not None and len(given.pose) not in (4, 7):
        parser.error("--pose takes X Y Z and the direction in degrees, or SQA3D's X Y Z QX QY QZ QW")
    return given


def _ask(given: argparse.Namespace) -> int:
    from lavis.cli import ask_setup
    from lavis.cli.ask_text import document, shown_answer, shown_medium
    from lavis.common.paths import cache_root
    from lavis.common.plugins import import_plugins
    from lavis.models.mexa_models.mexa_aggregator import MexaAggregator
    from lavis.models.mexa_models.workbench import new_workbench

    started_s = time.perf_counter()
    import_plugins(given.plugin, Path.cwd())
    found = ask_setup.found_medium(given)
    question = ask_setup.asked_question(given, found)
    model_options, loader_options = ask_setup.split_options(given.options, found.loader_options)
    names, left_out = ([], {}) if "experts" in model_options else ask_setup.usable_experts(given, question)
    node = ask_setup.model_node(given, names, model_options)
    ask_setup.fetch(MexaAggregator.needed_weights(node), offline=given.offline)
    if not given.json:
        sys.stdout.write(shown_medium(question, found, left_out, full=given.full))
        sys.stdout.flush()
    model = MexaAggregator.from_config(node)
    try:
        bench = new_workbench(
            cache_root() / "ask",
            missing_media="record",
            loader_options=loader_options,
            examples=() if question.options else ask_setup.EXAMPLES,
        )
        kept = _kept(model, question, bench)
        answer = model.answer(question, bench)
    finally:
        model.close()
    elapsed_s = time.perf_counter() - started_s
    if given.json:
        told = document(question, found, left_out, answer, kept, elapsed_s)
        sys.stdout.write(redact(json.dumps(told, indent=2, ensure_ascii=False)) + "\n")
    else:
        sys.stdout.write(shown_answer(answer, kept, elapsed_s, full=given.full))
    return 0 if answer.status == "answered" else 1


def _kept(model: MexaAggregator, question: Question, bench: Workbench) -> set[str]:
    """Return the experts whose evidence on the medium is in the cache."""
    from lavis.common import event_loop

    names = [expert.card.name for expert in model.panel.available(question)]
    keys = {name: event_loop.run(model.panel.key(name, question.blind(), bench)) for name in names}
    return {name for name, key in keys.items() if bench.store.get(key) is not None}
