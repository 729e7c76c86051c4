"""What CREMA costs: parameters and files, questions on one scene, sequential training, memory of loading, start.

python benchmarks/crema.py [--only size|cache|work|turns|memory|start] [--scenes 2] [--layers 2]

Sizes and work are counted on networks without memory; times and memory are measured with small models that are drawn
at random, in processes of their own where what came before would show.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch.utils.flop_counter import FlopCounterMode

from lavis.models.crema_models.building import build_network
from lavis.models.crema_models.byte_vocabulary import END, N_SPECIAL, PAD, ByteVocabulary
from lavis.models.crema_models.checkpoints import adapters
from lavis.models.crema_models.crema import Crema
from lavis.models.crema_models.language import Tokens, Vocabulary
from lavis.models.crema_models.network import CremaNetwork
from lavis.models.crema_models.published_names import alias_of, to_published
from lavis.models.crema_models.sequential import FROZEN, TURN, Turns
from lavis.models.crema_models.settings import CremaSettings
from lavis.models.crema_models.sizes import FLAN_T5_XL
from lavis.models.crema_models.weight_files import save_weights

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "lavis" / "configs" / "models" / "crema"
# Modalities of the published trainings, and what they are trained on.
PUBLISHED = {
    "rgb": ("train", "one modality"),
    "rgb_pc_depth_norm": ("espresso-concat", "SQA3D"),
    "rgb_audio_flow_depth_norm": ("espresso-concat", "MUSIC-AVQA"),
    "rgb_depth_flow_norm": ("espresso-concat", "NExT-QA"),
}
QUESTIONS_A_SCENE = 52  # SQA3D's test: 3519 questions on 67 scenes
N_FRAMES, PROMPT_TOKENS, ANSWER_TOKENS, BEAMS = 4, 77, 4, 5
FP32_BYTES, MB, BYTES = 4, 10**6, 256


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=sorted(PARTS))
    parser.add_argument("--scenes", type=int, default=2, help="scenes of 52 questions each")
    parser.add_argument("--layers", type=int, default=2, help="layers of the language model that is loaded")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        CHILDREN[arguments.child[0]](*arguments.child[1:])
        return
    torch.manual_seed(0)
    for name, part in PARTS.items():
        if arguments.only in (None, name):
            part(arguments)


# -- sizes: counted ----------------------------------------------------------------------------


def full_network(modalities: str, task: str) -> CremaNetwork:
    """Return the published network without memory for its weights."""
    node = OmegaConf.to_container(OmegaConf.load(CONFIGS / "pretrain_flant5xl.yaml").model)
    assert isinstance(node, dict)
    settings = CremaSettings.from_config({**node, "modalities": modalities, "task": task})
    return build_network(settings, vocabulary=ByteVocabulary())


def tiny_model(modalities: str, **changes: Any) -> Crema:
    """Return the small model, drawn at random."""
    node = OmegaConf.to_container(OmegaConf.load(CONFIGS / "tiny.yaml").model)
    assert isinstance(node, dict)
    return Crema.from_config({**node, "modalities": modalities, **changes})


def sizes(arguments: argparse.Namespace) -> None:
    """Print what is trained and what a training leaves on disk, against training everything."""
    print("\nTrained parameters at full size (BLIP-2 with Flan-T5-XL), and the file of adapters in float32:")
    print("| modalities | trained on | trained | of all | share | adapters | all weights | smaller by |")
    print("|---|---|---|---|---|---|---|---|")
    for modalities, (task, what) in PUBLISHED.items():
        network = full_network(modalities, task)
        counts = {True: 0, False: 0}
        for parameter in network.parameters():
            counts[parameter.requires_grad] += parameter.numel()
        trained, everything = counts[True], sum(counts.values())
        files = [FP32_BYTES * count / MB for count in (trained, everything)]
        print(
            f"| {modalities} | {what} | {trained:,} | {everything:,} | {100 * trained / everything:.2f} % "
            f"| {files[0]:.0f} MB | {files[1]:,.0f} MB | {everything / trained:.0f}x |"
        )
    model = tiny_model("rgb_depth_norm", task="espresso-concat")
    trained = sum(one.numel() for one in model.parameters() if one.requires_grad)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "adapters.safetensors"
        save_weights(adapters(model), path, {})
        size = path.stat().st_size
    print(
        f"One file written, of the tiny model: {size:,} bytes for {trained:,} parameters, "
        f"{size - FP32_BYTES * trained:,} bytes more than their numbers (names and shapes)."
    )


# -- questions on one scene --------------------------------------------------------------------


def scene_data(n_scenes: int, **caches: int) -> Any:
    """Return the sample's data set with 52 questions on each of some scenes, in the order of scenes."""
    from lavis.common.registry import registry
    from lavis.datasets.datasets.question_record import QuestionRecord

    builder_class = registry.require("builder", "sqa3d")
    node = OmegaConf.load(builder_class.default_config_path("sample")).datasets.sqa3d
    changes = {"data_type": ["frame", "depth", "norm"], "build_info": {"kwargs": caches}}
    with contextlib.redirect_stderr(io.StringIO()):
        data = builder_class(OmegaConf.merge(node, changes)).build_datasets(splits=["test"])["test"]
    by_scene: dict[str, list[QuestionRecord]] = {}
    for record in data.records:
        by_scene.setdefault(record.media_id, []).append(record)
    records = []
    for scene in list(by_scene)[:n_scenes]:
        own = by_scene[scene]
        records += [
            dataclasses.replace(own[number % len(own)], question_id=f"{scene}-{number}")
            for number in range(QUESTIONS_A_SCENE)
        ]
    data.records = records
    data.annotation = [{"instance_id": str(number)} for number in range(len(records))]
    return data


@contextlib.contextmanager
def counted(modules: Mapping[str, torch.nn.Module]) -> Iterator[Counter[str]]:
    """Count the pictures, sounds … that pass through modules."""
    passes: Counter[str] = Counter()

    def count(name: str) -> Callable[..., None]:
        return lambda module, inputs, output: passes.update({name: len(inputs[0])})

    handles = [module.register_forward_hook(count(name)) for name, module in modules.items()]
    yield passes
    for handle in handles:
        handle.remove()


class Words(ByteVocabulary):
    """One token a word, so that prompts have the length that a trained vocabulary gives them."""

    def spell(self, texts: Sequence[str], *, ends: bool = True) -> Tokens:
        """Return texts as tokens."""
        rows = [[N_SPECIAL + zlib.crc32(word.encode()) % BYTES for word in text.split()] for text in texts]
        width = max(map(len, rows)) + ends
        ids = torch.tensor([[*row, *([END] if ends else []), *([PAD] * width)][:width] for row in rows])
        return Tokens(ids, (ids != PAD).long())


def questions(arguments: argparse.Namespace) -> None:
    """Print the time of SQA3D's 52 questions a scene, looked at once and looked at for every question."""
    torch.set_num_threads(1)  # processor time then counts where others use the machine, too
    for vocabulary in (Words(), ByteVocabulary()):
        on_scenes(arguments.scenes, vocabulary)


def on_scenes(n_scenes: int, vocabulary: Vocabulary, batch_size: int = 8) -> None:
    """Print one table of times."""
    modalities = "rgb_depth_norm"
    print(
        f"\n{n_scenes} scenes of {QUESTIONS_A_SCENE} questions, tiny model, {modalities} (espresso-concat), batches of "
        f"{batch_size}, prompts spelled in {type(vocabulary).__name__}, one token per answer; processor time on one "
        "thread:"
    )
    print("| kept of a scene | s in all | s reading, decoding | s in the model | pictures encoded | faster |")
    print("|---|---|---|---|---|---|")
    first_s = 0.0
    answers = []
    for kept, clip_cache_mb, tensor_cache_mb, feature_cache_mb in (
        ("nothing, as the reference", 0, 0, 0),
        ("decoded frames", 256, 0, 0),
        ("what frozen parts and adapters read", 256, 0, 100),
        ("that, and the tensors of a sample", 256, 256, 100),
    ):
        data = scene_data(n_scenes, clip_cache_mb=clip_cache_mb, tensor_cache_mb=tensor_cache_mb)
        model = tiny_model(modalities, task="espresso-concat", feature_cache_mb=feature_cache_mb).eval()
        model.network.vocabulary = vocabulary
        spent = {"reading": 0.0, "model": 0.0}
        told: list[str] = []
        with counted({"pictures": model.network.get_submodule("visual_encoder")}) as passes:
            for start in range(0, len(data), batch_size):
                began_s = time.process_time()
                batch = data.collater([data[number] for number in range(start, min(start + batch_size, len(data)))])
                read_s = time.process_time()
                told += model.predict_answers(batch, num_beams=1, max_len=1)
                spent["reading"] += read_s - began_s
                spent["model"] += time.process_time() - read_s
        answers.append(told)
        total_s = sum(spent.values())
        first_s = first_s or total_s
        print(
            f"| {kept} | {total_s:.2f} | {spent['reading']:.2f} | {spent['model']:.2f} | {passes['pictures']} "
            f"| {first_s / total_s:.1f}x |"
        )
    print(f"All answers are the same: {all(told == answers[0] for told in answers)}.")


def work(arguments: argparse.Namespace) -> None:
    """Print the floating-point operations of a question at full size, and what a scene's 52 take."""
    print(f"\nWork at full size for {QUESTIONS_A_SCENE} questions on one medium, in TFLOP, counted on empty networks:")
    print("| modalities | frozen encoders | Q-Former, fusion | language model, a question | uncached | cached | less |")
    print("|---|---|---|---|---|---|---|")
    for modalities, (task, _) in PUBLISHED.items():
        parts = full_work(full_network(modalities, task).eval())
        encoders, reading, language = (parts[name] / 1e12 for name in ("encoders", "reading", "language"))
        every = QUESTIONS_A_SCENE * (encoders + reading + language)
        cached = encoders + reading + QUESTIONS_A_SCENE * language
        print(
            f"| {modalities} | {encoders:.2f} | {reading:.2f} | {language:.2f} | {every:.0f} | {cached:.0f} "
            f"| {every / cached:.1f}x |"
        )
    print(f"Prompt of {PROMPT_TOKENS} tokens, answer of {ANSWER_TOKENS} on {BEAMS} beams, each token computed once.")


@torch.no_grad()
def full_work(network: CremaNetwork) -> dict[str, int]:
    """Return the operations of one medium and one question by part."""
    network.to("meta").requires_grad_(False)
    samples: dict[str, Any] = {}
    for one in network.modalities:
        shape = {"pictures": (1, 3, N_FRAMES, 224, 224), "sound": (1, 2, 512, 128), "points": (1, 5000, 1408)}
        samples[one.spec.sample_key] = torch.empty(shape[one.spec.source], device="meta")
    samples["pc"] = torch.zeros((1, 5000, 3), dtype=torch.long, device="meta")
    found = {}
    with FlopCounterMode(display=False) as counter:
        frozen = {one.name: network.encode(one, samples) for one in network.modalities}
    found["encoders"] = counter.get_total_flops()
    with FlopCounterMode(display=False) as counter:
        tokens = {one.name: network.read(one, frozen[one.name]) for one in network.modalities}
        visual = network.assembled(tokens).tokens
    found["reading"] = counter.get_total_flops()
    model: Any = network.t5_model
    asked = torch.empty((1, visual.shape[1] + PROMPT_TOKENS, visual.shape[2]), device="meta")
    said = torch.zeros((BEAMS, ANSWER_TOKENS), dtype=torch.long, device="meta")
    with FlopCounterMode(display=False) as counter:
        encoded = model.get_encoder()(inputs_embeds=asked).last_hidden_state
        model.get_decoder()(input_ids=said, encoder_hidden_states=encoded.expand(BEAMS, -1, -1))
    found["language"] = counter.get_total_flops()
    return found


# -- sequential training: counted --------------------------------------------------------------


def turns(arguments: argparse.Namespace) -> None:
    """Print how often frozen encoders see a batch while M modalities learn from it in turn."""
    print("\nOne step of sequential training (a batch of 1, 4 frames), counted on the tiny model:")
    print("| modalities M | turns | passes of frozen encoders, a modality each | as often as turns would take (M²) |")
    print("|---|---|---|---|")
    for modalities in ("rgb_depth", "rgb_depth_norm", "rgb_depth_flow_norm", "rgb_audio_depth_flow_norm"):
        model = tiny_model(modalities, task="espresso-concat-seq").train()
        names = [one.name for one in model.modalities]
        batch: dict[str, Any] = {"qa_input": ["what is it"], "qa_output": ["left"]}
        for one in model.modalities:
            shape = (1, 2, 512, 128) if one.spec.source == "sound" else (1, 3, N_FRAMES, 224, 224)
            batch[one.spec.sample_key] = torch.randn(shape)
        encoders = {"pictures": model.network.get_submodule("visual_encoder")}
        if "audio" in names:
            encoders["sound"] = model.network.get_submodule("audio_encoder.model")
        with counted(encoders) as passes:
            n_turns = 0
            for turn in Turns([batch], model.encode, names):
                model(turn, frozen=turn[FROZEN], only=turn[TURN])["loss"].backward()
                n_turns += 1
        n_passes = passes["pictures"] // N_FRAMES + passes["sound"] // 2
        print(f"| {len(names)}: {modalities} | {n_turns} | {n_passes} | {len(names) * n_turns} |")


# -- memory and start: processes of their own --------------------------------------------------


def wide_settings(layers: int, **changes: Any) -> dict[str, Any]:
    """Return the tiny model's settings with a language model of Flan-T5-XL's width."""
    node = OmegaConf.to_container(OmegaConf.load(CONFIGS / "tiny.yaml").model)
    assert isinstance(node, dict)
    t5 = {**FLAN_T5_XL, "num_layers": layers, "num_decoder_layers": layers}
    return {**node, "t5": t5, **changes}


def write_wide(folder: str, layers: str) -> None:
    """Write one model's weights in both forms."""
    torch.manual_seed(0)
    model = Crema.from_config(wide_settings(int(layers)))
    state = {to_published(name): one for name, one in model.network.state_dict().items()}
    state = {name: one for name, one in state.items() if alias_of(name) == name}
    torch.save({"model": state}, Path(folder) / "wide.pth")
    save_weights(state, Path(folder) / "wide.safetensors", {})


def load_wide(file: str, layers: str, used: str) -> None:
    """Load it, print the peak of memory above what the process had, in bytes; and use every weight if asked."""
    settings = CremaSettings.from_config(wide_settings(int(layers), random_weights=False))
    build_network(settings)  # everything that loading imports
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here on
    began_s = time.perf_counter()
    given = {"random_weights": False, "load_pretrained": True, "pretrained": file}
    model = Crema.from_config(wide_settings(int(layers), **given))
    took_s = time.perf_counter() - began_s
    if used == "used":
        for parameter in model.parameters():
            float(parameter.detach().sum())
    print(json.dumps({"above": status("VmHWM") - before, "before": before, "took_s": took_s}))


def status(name: str) -> int:
    """Return a line of the process's status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])


def memory(arguments: argparse.Namespace) -> None:
    """Print the peak memory of loading a file, above that of the process before."""
    with tempfile.TemporaryDirectory() as folder:
        child("write", folder, str(arguments.layers))
        print(
            "\nLoading a model whose language model has Flan-T5-XL's width and "
            f"{arguments.layers} + {arguments.layers} layers, float32, in a fresh process:"
        )
        print("| file | MB | process before, MB | peak above it when loaded | when every weight was used | s to load |")
        print("|---|---|---|---|---|---|")
        for name in ("wide.safetensors", "wide.pth"):
            file = Path(folder) / name
            size = file.stat().st_size
            loaded, used = (child("load", str(file), str(arguments.layers), how) for how in ("loaded", "used"))
            shares = [f"{run['above'] / MB:.0f} MB = {run['above'] / size:.2f}x the file" for run in (loaded, used)]
            print(
                f"| {file.suffix} | {size / MB:.0f} | {loaded['before'] / MB:.0f} | {shares[0]} | {shares[1]} "
                f"| {loaded['took_s']:.1f} |"
            )


def first_batch(began_s: str, folder: str) -> None:
    """Start evaluate.py's work and stop at the first batch; print when that was and what is imported."""
    import evaluate  # the script, from the root of the checkout
    from lavis.cli.launch import main as launch
    from lavis.tasks.crema_qa import CremaTask

    def stop(self: CremaTask, model: Any, samples: Any) -> Any:
        told = {"took_s": time.monotonic() - float(began_s), "modules": sorted(sys.modules)}
        Path(folder, "told.json").write_text(json.dumps(told))
        os._exit(0)

    CremaTask.valid_step = stop  # type: ignore[method-assign]
    config = str(ROOT / "projects" / "crema" / "eval" / "sqa3d_sample.yaml")
    options = ["--cfg-path", config, "--options", f"run.output_dir={folder}", "run.num_workers=0"]
    sys.exit(launch(options, description="", run=evaluate.evaluate, evaluate=True))


def start(arguments: argparse.Namespace) -> None:
    """Print the time from nothing to the first batch, and which families of models were imported for it."""
    runs = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            child("start", repr(time.monotonic()), folder, silent=True)
            runs.append(json.loads(Path(folder, "told.json").read_text()))
    modules = runs[0]["modules"]
    times = ", ".join(format(run["took_s"], ".1f") for run in runs)
    print("\nevaluate.py with projects/crema/eval/sqa3d_sample.yaml, the sample and the page cache warm:")
    print(f"from the start of the process to the first batch: {times} s")
    for package, own in (("lavis.models", "crema_models"), ("transformers.models", ""), ("lavis", "")):
        below = [name.removeprefix(f"{package}.") for name in modules if name.startswith(f"{package}.")]
        parts = Counter(name.split(".")[0] for name in below if not own or not name.startswith(own))
        listed = ", ".join(f"{name} ({count})" for name, count in sorted(parts.items()))
        print(f"modules below {package}{f' beside {own}' if own else ''}: {listed}")
    heavy = [name for name in ("cv2", "onnxruntime", "faster_whisper", "av", "scipy", "sklearn") if name in modules]
    print(f"of other libraries that some experts need: {', '.join(heavy) or 'none'}")


def child(*words: str, silent: bool = False) -> Any:
    """Run a part in a process of its own and return what it printed last."""
    command = [sys.executable, str(Path(__file__).resolve()), "--child", *words]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    if ran.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{ran.stderr[-3000:]}")
    return None if silent or not ran.stdout.strip() else json.loads(ran.stdout.splitlines()[-1])


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "size": sizes,
    "cache": questions,
    "work": work,
    "turns": turns,
    "memory": memory,
    "start": start,
}
CHILDREN: dict[str, Callable[..., None]] = {"write": write_wide, "load": load_wide, "start": first_batch}


if __name__ == "__main__":
    main()
