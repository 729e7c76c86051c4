"""What a CREMA model says as evidence: its own scores on the samples that its data set makes of the same files."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from omegaconf import OmegaConf
from PIL import Image
from torch.utils.data import default_collate

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.builders.nextqa_builder import NextQABuilder
from lavis.datasets.datasets.nextqa_dataset import NExTQADataset
from lavis.datasets.datasets.question_record import QuestionRecord
from lavis.datasets.datasets.sqa3d_dataset import SQA3DDataset
from lavis.datasets.loaders.base import Clip
from lavis.datasets.loaders.point_cloud import PointCloudLoader
from lavis.datasets.loaders.reader import MediaReader
from lavis.datasets.question import Media, Question
from lavis.experts.crema import CremaExpert, read_run
from lavis.models.crema_models.checkpoints import adapters
from lavis.models.crema_models.crema import Crema
from lavis.models.crema_models.weight_files import save_weights
from lavis.models.mexa_models.answers import LETTERS
from lavis.processors.text_processors import BlipQuestionProcessor

N_FRAMES = 2
ROWS = (
    "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n"
    "1,9,40,30,what does the man hold,0,0,CH,a cup,a ball,nothing,a red hat,his dog\n"
    "1,9,40,30,why did she run,3,1,CW,the bus came,it rained,a race,she was late,a dog\n"
)
MODEL = {"arch": "crema", "model_type": "tiny", "modalities": "rgb_depth", "frame_num": N_FRAMES, "rgb_layout": None}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One video of nine frames with depth, and two questions with five options each."""
    folder = tmp_path_factory.mktemp("nextqa")
    (folder / "val.csv").write_text(ROWS)
    pictures = np.random.default_rng(0).integers(0, 256, (9, 30, 40, 3), dtype=np.uint8)
    (folder / "frames" / "1").mkdir(parents=True)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / "frames" / "1" / f"{number:05d}.png")
    (folder / "depth").mkdir()
    np.save(folder / "depth" / "1.npy", np.linspace(1, 4, 9 * 30 * 40, dtype=np.float32).reshape(9, 30, 40))
    return folder


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of a model this small wait for each other longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def written(folder: Path, *, name: str = "run.yaml", datasets: Any = None, **model: Any) -> str:
    """Write a run's YAML and return its path."""
    run = {"task": "videoqa", "seed": 7, "num_beams": 1, "max_len": 6, "min_len": 3, "length_penalty": 1}
    document = {"model": {**MODEL, **model}, "datasets": datasets or {"nextqa": {"type": "default"}}, "run": run}
    path = folder / name
    path.write_text(yaml.safe_dump(document))
    return str(path)


@pytest.fixture(scope="module")
def dataset(root: Path) -> NExTQADataset:
    config = OmegaConf.load(NextQABuilder.default_config_path()).datasets.nextqa
    info = {"root": str(root), "annotations": {"val": {"storage": "val.csv"}}, "kwargs": {"n_frames": N_FRAMES}}
    changes = {"data_type": ["frame", "depth"], "build_info": info}
    built: NExTQADataset = NextQABuilder(OmegaConf.merge(config, changes)).build_datasets(splits=["val"])["val"]
    return built


def opened(question: Question, n_frames: int = N_FRAMES) -> MediaReader:
    return MediaReader(question.media, n_frames=n_frames)


def model_of(expert: CremaExpert) -> Crema:
    """Return the run's model built once more, from its configuration alone."""
    assert expert.run is not None
    torch.manual_seed(expert.run["seed"])
    return Crema.from_config({**expert.run["model"], "rgb_layout": "frame"}).eval()


def batch(dataset: NExTQADataset, index: int) -> dict[str, Any]:
    collated: dict[str, Any] = default_collate([dataset[index]])
    return collated


def test_options_rank_as_the_model_scores_what_its_data_set_makes_of_the_same_files(
    dataset: NExTQADataset, tmp_path: Path
) -> None:
    expert = CremaExpert(cfg_path=written(tmp_path, downstream_task="mcqa"))
    model = model_of(expert)
    texts = []
    for index in (0, 1):
        question = dataset.question(index)
        texts.append(expert.look(question, opened(question)).text)
        truth = model.rank_options(batch(dataset, index))[0].exp().tolist()
        head, told = texts[-1].split(" ranks: ")
        assert head == "CREMA (rgb, depth)"
        found = re.findall(r"([A-E])\. ([^;]+?) \((\d\.\d\d)\)", told)
        letters = [letter for letter, _, _ in found]
        assert letters == [LETTERS[k] for k in sorted(range(5), key=lambda k: -truth[k])]
        for letter, option, chance in found:
            assert option == question.options[LETTERS.index(letter)].rstrip(".")
            assert float(chance) == pytest.approx(truth[LETTERS.index(letter)], abs=0.00501)
        assert "drawn at random" in told
    assert texts[0] != texts[1]


def test_an_open_answer_is_what_the_model_generates_with_the_probability_of_its_tokens(
    dataset: NExTQADataset, tmp_path: Path
) -> None:
    """The same prompt is put to the model through its data set's sample; the probability is multiplied up here."""
    expert = CremaExpert(cfg_path=written(tmp_path, downstream_task="oeqa"))
    question = dataset.question(1)
    told = expert.look(question, opened(question)).text
    model, sample = model_of(expert), batch(dataset, 1)
    answer = model.predict_answers(sample, num_beams=1, max_len=6, min_len=3, length_penalty=1)[0]
    assert told.startswith(f"CREMA (rgb, depth) answers: {' '.join(answer.split())} (probability of this wording ")
    span, labels = model.span(sample), model.network.vocabulary.spell([answer]).labels
    with torch.no_grad():
        output: Any = model.network.t5_model(inputs_embeds=span.tokens, attention_mask=span.mask, labels=labels)
    stated = re.search(r"wording (?:below )?([\d.]+)\)", told)
    assert stated is not None
    assert float(stated[1]) == pytest.approx(float((-output.loss * labels.numel()).exp()), rel=0.06, abs=1e-6)


def test_the_same_text_whatever_the_threads_and_the_order(dataset: NExTQADataset, tmp_path: Path) -> None:
    expert = CremaExpert(cfg_path=written(tmp_path, downstream_task="mcqa"))
    questions = [dataset.question(index) for index in (0, 1)]
    first = [expert.look(one, opened(one)).text for one in questions]
    torch.set_num_threads(2)
    expert.asked.model.features.clear()
    again = [expert.look(one, opened(one)).text for one in reversed(questions)]
    assert first == again[::-1]


def test_a_medium_is_encoded_once_for_all_its_questions(dataset: NExTQADataset, tmp_path: Path) -> None:
    expert = CremaExpert(cfg_path=written(tmp_path, downstream_task="mcqa"))
    features = expert.asked.model.features
    features.clear()
    before = features.misses
    for index in (0, 1, 0):
        question = dataset.question(index)
        expert.look(question, opened(question))
    assert features.misses - before == 2, "rgb and depth, once each"


def test_a_modality_that_the_medium_lacks_is_an_error_that_names_it(
    dataset: NExTQADataset, tmp_path: Path, root: Path
) -> None:
    expert = CremaExpert(cfg_path=written(tmp_path, downstream_task="mcqa"))
    question = dataset.question(0)
    sources = {"frame": question.media.sources["frame"]}
    blind = Question("q9", "what", Media("1", sources), options=("a", "b"))
    assert expert.missing_needs(blind) == ("depth",)
    with pytest.raises(ModalityError, match=r"q9: medium '1' has no depth, which the model .* \(rgb, depth\)"):
        expert.look(blind, opened(blind))
    gone = Media("1", {**sources, "depth": root / "depth" / "2.npy"})
    with pytest.raises(ModalityError, match=r"depth.*2\.npy"):
        expert.look(Question("q9", "what", gone, options=("a", "b")), MediaReader(gone, n_frames=N_FRAMES))
    clip = opened(question).load("frame")
    with pytest.raises(ModalityError, match="has no depth"):
        expert.write(clip, question=question, depth=None)


def test_another_number_of_frames_says_what_to_set(dataset: NExTQADataset, tmp_path: Path) -> None:
    expert = CremaExpert(cfg_path=written(tmp_path, downstream_task="mcqa"))
    question = dataset.question(0)
    with pytest.raises(ModalityError, match=r"rgb has 4 frames .*takes 2; set model\.reading\.n_frames: 2"):
        expert.look(question, opened(question, n_frames=4))


def test_options_that_a_model_cannot_rank_are_said(dataset: NExTQADataset, tmp_path: Path) -> None:
    expert = CremaExpert(cfg_path=written(tmp_path, downstream_task="mcqa"))
    media = dataset.question(0).media
    for options, n_options in (((), 0), (tuple("abcdef"), 6)):
        question = Question("q1", "what", media, options=options)
        with pytest.raises(ModalityError, match=rf"Question q1.*the question has {n_options} options.*5 letters"):
            expert.look(question, opened(question))
    three = Question("q1", "what", media, options=("a cup", "a ball", "a hat"))
    chances = [float(one) for one in re.findall(r"\((\d\.\d\d)\)", expert.look(three, opened(three)).text)]
    assert len(chances) == 3
    assert sum(chances) == pytest.approx(1.0, abs=0.011), "probabilities are among the question's options"


def test_other_modalities_of_a_medium_are_not_opened(dataset: NExTQADataset, tmp_path: Path, root: Path) -> None:
    expert = CremaExpert(cfg_path=written(tmp_path, downstream_task="mcqa", modalities="rgb"))
    question = dataset.question(0)
    reader = MediaReader(Media("1", {**question.media.sources, "flow": root / "none"}), n_frames=2)
    assert expert.look(question, reader).text.startswith("CREMA (rgb) ranks: ")
    assert reader.opened == ["frame"]


class OfOneRecord:
    record: QuestionRecord

    @classmethod
    def read_records(cls, paths: Any, **options: Any) -> list[QuestionRecord]:
        return [cls.record]


class OneOfSQA3D(OfOneRecord, SQA3DDataset):
    record = QuestionRecord(
        *("1", "scene", "What is behind me?", ("chair",)),
        situation="I stand by the bed, facing the Window.",
        tags={"crema_type": "What"},
    )


class OneOfNExTQA(OfOneRecord, NExTQADataset):
    record = QuestionRecord(
        *("1", "video", "Why did he run?", ("it rained",), ("it rained", "a race.")),
        tags={"gold_choice": "0"},
    )


@pytest.mark.parametrize(
    ("cls", "name", "instruction"),
    [(OneOfSQA3D, "sqa3d", None), (OneOfNExTQA, "nextqa", None), (OneOfNExTQA, "nextqa", "Say which.")],
)
def test_prompts_are_those_of_the_data_set_that_the_model_was_trained_on(
    cls: Any, name: str, instruction: str | None, tmp_path: Path
) -> None:
    datasets = {name: {"type": "default", "build_info": {"kwargs": {"instruction": instruction}}}}
    expert = CremaExpert(cfg_path=written(tmp_path, datasets=datasets, modalities="rgb"))
    data = cls(ann_paths=[], modalities=[], text_processor=BlipQuestionProcessor(), instruction=instruction)
    assert expert.asked.prompt(data.question(0).blind()) == data.sample_texts(0)["qa_input"]


def test_more_points_than_the_model_takes_are_thinned_as_for_its_data_set(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for folder in ("features", "voxels"):
        (tmp_path / f"voxelized_{folder}_sam_nonzero_preprocess").mkdir()
    features = generator.standard_normal((5301, 1408), dtype=np.float32)
    path = tmp_path / "voxelized_features_sam_nonzero_preprocess" / "scene.npy"
    np.save(path, features)
    voxels = generator.integers(0, 256, (5301, 3))
    np.save(tmp_path / "voxelized_voxels_sam_nonzero_preprocess" / "scene.npy", voxels)
    expert = CremaExpert(cfg_path=written(tmp_path, modalities="rgb_pc"))
    pictures = np.zeros((N_FRAMES, 30, 40, 3), np.uint8)
    frames = Clip("scene", "frame", pictures, "t h w c", "uint8 RGB", path, (0, 1))
    question = Question("q1", "what", Media("scene", {"frame": path, "pc": path}))
    sample = expert.asked.sample({"rgb": frames, "pc": PointCloudLoader().load(path, media_id="scene")}, question)
    thinned = PointCloudLoader(max_points=5000).load(path, media_id="scene")
    np.testing.assert_array_equal(sample["pc_feat"][0].numpy(), thinned.extras["features"])
    np.testing.assert_array_equal(sample["pc"][0].numpy(), thinned.array)
    bare = Clip("scene", "pc", voxels, "n c", "m", path)
    with pytest.raises(ModalityError, match=r"scene: .*points without features"):
        expert.asked.sample({"rgb": frames, "pc": bare}, question)


def test_adapters_change_the_answer_and_what_evidence_is_kept_under(dataset: NExTQADataset, tmp_path: Path) -> None:
    """Adapters are kept under names, bytes and times of their file, wherever it lies."""
    cfg_path = written(tmp_path, downstream_task="mcqa")
    plain = CremaExpert(cfg_path=cfg_path)
    question = dataset.question(0)
    text = plain.look(question, opened(question)).text
    trained = {name: tensor + 0.5 for name, tensor in adapters(plain.asked.model).items()}
    file = tmp_path / "adapters.safetensors"
    save_weights(trained, file, {})
    moved = tmp_path / "elsewhere" / file.name
    moved.parent.mkdir()
    shutil.copy2(file, moved)
    keys = []
    for place in (file, moved):
        options = {"cfg_path": cfg_path, "model": {"mmqa_ckpt": str(place)}}
        expert = CremaExpert(**options)
        assert expert.look(question, opened(question)).text != text
        keys.append(expert.deciding(options))
    assert keys[0] == keys[1] != plain.deciding({"cfg_path": cfg_path})
    save_weights({name: tensor + 0.1 for name, tensor in trained.items()}, file, {})
    assert expert.deciding(options) == keys[1]
    assert CremaExpert(cfg_path=cfg_path, model={"mmqa_ckpt": str(file)}).deciding({}) != keys[0]


def test_it_is_unavailable_without_a_run_and_says_the_line() -> None:
    assert any("cfg_path: projects/crema/eval/sqa3d.yaml" in line for line in CremaExpert.lacks({}))
    assert CremaExpert.lacks({"cfg_path": "x.yaml"}) == ()
    with pytest.raises(ConfigError, match=r"no model to ask: .*cfg_path"):
        CremaExpert().write(None, question=None)  # type: ignore[arg-type]


def test_every_published_run_can_be_named(repo_root: Path) -> None:
    """The YAMLs that come with the package, with their processors; weights are not opened."""
    for path in sorted((repo_root / "projects" / "crema" / "eval").glob("*.yaml")):
        run = read_run(path, {})
        assert run["instruction"]
        named = set(str(run["model"]["modalities"]).replace("-skip", "").split("_"))
        assert set(run["processors"]) == named - {"pc"}, path.name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arch": "mexa_aggregator", "model_type": "default"}, "cfg_path: .* runs the model 'mexa_aggregator'"),
        ({"modalities": "depth"}, "takes depth; the expert needs one with rgb"),
        ({"modalities": "rgb_audio"}, r"audio_processor\.eval is missing, and the model takes audio"),
        ({"image_size": 112}, "pictures of 224 px, model.image_size is 112"),
        ({"frame_nmu": 4}, "frame_nmu.*frame_num"),
    ],
)
def test_a_run_that_cannot_be_asked_is_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        CremaExpert(cfg_path=written(tmp_path, **change))


def test_several_data_sets_need_a_name(tmp_path: Path) -> None:
    datasets = {"nextqa": {"type": "default"}, "sqa3d": {"type": "default"}}
    path = written(tmp_path, datasets=datasets, modalities="rgb")
    with pytest.raises(ConfigError, match=r"dataset: .* has nextqa, sqa3d; name one"):
        CremaExpert(cfg_path=path)
    with pytest.raises(ConfigError, match=r"has no 'nextq'.*'nextqa'"):
        CremaExpert(cfg_path=path, dataset="nextq")
    instructions = {CremaExpert(cfg_path=path, dataset=name).asked.instruction for name in datasets}
    assert len(instructions) == 2
