"""Experts with a local model: tiny ones with random weights that are built here; their own output is the truth."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lavis.common.errors import ConfigError, ModalityError, WeightsError
from lavis.datasets.loaders.base import Clip
from lavis.experts.served.clap import ClapExpert
from lavis.experts.served.depth_estimation import DepthEstimationExpert
from lavis.experts.served.local_model import at_rate
from lavis.experts.served.whisper import WhisperExpert

from sounds import frequency_hz, tone  # isort: skip

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

RATE_HZ = 16000
PATH = Path("/media/one")
N_TIMES = 1501  # Whisper's marks of time: every 20 ms up to 30 s
LINE = re.compile(r"(\d+\.\d) s to (\d+\.\d) s: .+|from (\d+\.\d) s: .+|No speech is recognised\.")


def sound(seconds: float, *, start_s: float = 0.0) -> Clip:
    samples = tone(seconds, RATE_HZ) + np.random.default_rng(0).normal(0, 0.05, round(seconds * RATE_HZ))
    array = samples.astype(np.float32)
    return Clip("one", "audio", array, "n", "16 kHz mono", PATH, timestamps_s=(start_s,), rate_hz=float(RATE_HZ))


def frames(n: int) -> Clip:
    array = np.random.default_rng(1).integers(0, 256, (n, 28, 28, 3), np.uint8)
    return Clip("one", "frame", array, "t h w c", "uint8 RGB", PATH, timestamps_s=tuple(0.5 * k for k in range(n)))


def bytes_vocabulary(special: list[str]) -> Any:
    import tokenizers

    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=special,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(["this is a sound of rain"] * 4, trainer)
    return bpe


# -- speech ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Whisper of one layer on each side, with its own marks of language, task and time."""
    marks = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|startofprev|>", "<|nospeech|>"]
    marks.append("<|notimestamps|>")
    marks += [f"<|{0.02 * k:.2f}|>" for k in range(N_TIMES)]
    vocabulary = bytes_vocabulary([])
    folder = tmp_path_factory.mktemp("models") / "tiny-whisper"
    state = json.loads(vocabulary.to_str())["model"]
    tokenizer = transformers.WhisperTokenizer(
        vocab=state["vocab"], merges=[tuple(pair) for pair in state["merges"]], additional_special_tokens=marks[1:7]
    )
    tokenizer.add_tokens(marks[7:])
    ids = {mark: tokenizer.convert_tokens_to_ids(mark) for mark in marks[:8]}
    torch.manual_seed(3)
    config = transformers.WhisperConfig(
        vocab_size=len(tokenizer),
        num_mel_bins=80,
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_target_positions=64,
        init_std=0.4,
        pad_token_id=ids["<|endoftext|>"],
        bos_token_id=ids["<|endoftext|>"],
        eos_token_id=ids["<|endoftext|>"],
        decoder_start_token_id=ids["<|startoftranscript|>"],
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    network = transformers.WhisperForConditionalGeneration(config)
    network.save_pretrained(folder)
    settings = {
        "is_multilingual": True,
        "lang_to_id": {"<|en|>": ids["<|en|>"]},
        "task_to_id": {"transcribe": ids["<|transcribe|>"]},
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        "prev_sot_token_id": ids["<|startofprev|>"],
        "max_initial_timestamp_index": 50,
        "max_length": 64,
        "decoder_start_token_id": ids["<|startoftranscript|>"],
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|endoftext|>"],
        "pad_token_id": ids["<|endoftext|>"],
    }
    (folder / "generation_config.json").write_text(json.dumps(settings))
    transformers.WhisperProcessor(transformers.WhisperFeatureExtractor(feature_size=80), tokenizer).save_pretrained(
        folder
    )
    return folder


@pytest.fixture(scope="module")
def writer(whisper: Path) -> WhisperExpert:
    return WhisperExpert(model=str(whisper), device="cpu", language="en", max_s=40.0, max_tokens=12)


@pytest.mark.parametrize("seconds", [3.0, 35.0])
def test_speech_becomes_lines_with_times_inside_the_sound(writer: WhisperExpert, seconds: float) -> None:
    text = writer.write(sound(seconds))
    assert text
    for line in text.split("\n"):
        found = LINE.match(line)
        if found is None:  # what random weights say may hold line ends
            continue
        times = [float(one) for one in found.groups() if one]
        assert all(0 <= time_s <= seconds for time_s in times)
    assert LINE.match(text)
    assert writer.write(sound(seconds)) == text


def test_what_is_not_listened_to_is_told_and_times_are_those_of_the_recording(
    writer: WhisperExpert, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "max_s", 2.0)
    first, *lines = writer.write(sound(5.0, start_s=100.0)).split("\n")
    assert first == "Of 5.0 s of sound only the first 2 s were listened to."
    found = LINE.match(lines[0])
    assert found is not None
    times = [float(one) for one in found.groups() if one]
    assert all(100 <= time_s <= 102 for time_s in times)


def test_the_model_s_files_decide_the_key_and_its_place_does_not(whisper: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(whisper, moved)
    options = {"model": str(whisper), "device": "cpu"}
    key = WhisperExpert(**options).deciding(options)
    assert WhisperExpert(model=str(moved)).deciding({"model": str(moved)}) == key
    (moved / "generation_config.json").write_text("{}")
    assert WhisperExpert(model=str(moved)).deciding({"model": str(moved)}) != key


def test_a_model_that_is_not_there_says_what_to_give(tmp_path: Path) -> None:
    for cls in (WhisperExpert, ClapExpert):
        with pytest.raises(WeightsError, match=rf"model\.experts\.{cls.card.name}\.model.*Give a folder"):
            cls(model=str(tmp_path / "absent")).write(sound(1.0))
    with pytest.raises(ModalityError, match="one: /media/one holds no sound"):
        WhisperExpert(model="m").write(sound(0.0))
    with pytest.raises(ConfigError, match=r"whisper\.max_s"):
        WhisperExpert(max_s=0)


# -- sounds by name ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLAP of small layers; its sounds are at 48 kHz, as those of the real one."""
    torch.manual_seed(0)
    vocabulary = bytes_vocabulary(["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=vocabulary, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )
    text = transformers.ClapTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=80,
        projection_dim=16,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.4,
    )
    heard = transformers.ClapAudioConfig(
        patch_embeds_hidden_size=16,
        depths=[1, 1],
        num_attention_heads=[2, 2],
        hidden_size=32,
        num_hidden_layers=2,
        projection_dim=16,
        initializer_range=0.4,
        enable_fusion=False,
    )
    folder = tmp_path_factory.mktemp("models") / "tiny-clap"
    transformers.ClapModel(
        transformers.ClapConfig(text_config=text.to_dict(), audio_config=heard.to_dict(), projection_dim=16)
    ).save_pretrained(folder)
    extractor = transformers.ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad")
    transformers.ClapProcessor(extractor, tokenizer).save_pretrained(folder)
    return folder


def test_every_stretch_has_the_names_that_the_model_itself_finds_nearest(clap: Path) -> None:
    labels = ["rain", "a dog barking", "a siren"]
    expert = ClapExpert(model=str(clap), device="cpu", labels=labels, n_labels=2, min_share=0.0)
    text = expert.write(sound(20.5, start_s=100.0))
    header, *lines = text.split("\n")
    assert header == "Which of 3 listed sounds fits best (0 … 1, shared out among the list):"
    # The last half second belongs to the stretch before.
    assert [line.split(":")[0] for line in lines] == ["100.0 s to 110.0 s", "110.0 s to 120.5 s"]

    network = transformers.ClapModel.from_pretrained(clap).eval()
    processor = transformers.AutoProcessor.from_pretrained(clap)
    names = processor.tokenizer([f"This is a sound of {name}." for name in labels], padding=True, return_tensors="pt")
    first = at_rate(sound(20.5).array[: 10 * RATE_HZ], RATE_HZ, 48000)
    with torch.inference_mode():
        heard = processor.feature_extractor(first, sampling_rate=48000, return_tensors="pt")
        shares = network(**names, **heard).logits_per_audio[0].softmax(-1).tolist()
    best = sorted(range(3), key=lambda k: -shares[k])[:2]
    # Two passes of one network differ in the last bits, and so may a share that lies between two hundredths.
    told = re.findall(r"(?:: | and )(?:probably )?([a-z ]+) \((0\.\d\d)\)", lines[0])
    assert [name for name, _ in told] == [labels[k] for k in best]
    assert [float(share) for _, share in told] == pytest.approx([shares[k] for k in best], abs=0.0101)


def test_where_no_name_stands_out_none_is_said(clap: Path) -> None:
    expert = ClapExpert(model=str(clap), device="cpu", min_share=1.0, max_s=3.0)
    text = expert.write(sound(5.0))
    assert "0.0 s to 3.0 s: none of them stands out" in text
    assert text.endswith("Of 5.0 s of sound only the first 3 s were listened to.")
    for options in ({"labels": ["one"]}, {"labels": ["a", "a"]}, {"prompt": "no place"}, {"min_share": 2.0}):
        with pytest.raises(ConfigError, match=r"model\.experts\.clap"):
            ClapExpert(**options)


def test_a_sound_at_another_rate_is_the_same_sound() -> None:
    before = tone(1.0, RATE_HZ, hz=440.0)
    after = at_rate(before, RATE_HZ, 48000)
    assert len(after) == 48000
    assert frequency_hz(after, 48000) == pytest.approx(440.0, abs=0.5)
    assert np.abs(after[::3] - before).max() < 1e-4
    assert at_rate(before, RATE_HZ, RATE_HZ) is before
    assert np.abs(at_rate(after, 48000, RATE_HZ) - before).max() < 1e-4


# -- depth -------------------------------------------------------------------------------------


def depth_model(folder: Path, kind: str) -> Path:
    torch.manual_seed(0)
    backbone = transformers.Dinov2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=28,
        out_indices=[1, 2],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=16,
        neck_hidden_sizes=[8, 8],
        reassemble_factors=[2, 1],
        fusion_hidden_size=8,
        head_in_channels=8,
        head_hidden_size=8,
        depth_estimation_type=kind,
        max_depth=10,
    )
    transformers.DepthAnythingForDepthEstimation(config).save_pretrained(folder)
    preprocessor = {
        "image_processor_type": "DPTImageProcessor",
        "size": {"height": 28, "width": 28},
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


def test_metres_become_the_depth_expert_s_words_and_are_called_estimated(tmp_path: Path) -> None:
    expert = DepthEstimationExpert(model=str(depth_model(tmp_path / "metric", "metric")), device="cpu")
    text = expert.write(frames(3))
    assert text.startswith("Depth estimated by a model from single pictures, not measured; distances are rough.\nOver")
    assert "In the last view (at 1.0 s): straight ahead" in text
    assert expert.write(frames(3)) == text


def test_values_without_a_scale_are_never_told_in_metres(tmp_path: Path) -> None:
    model = str(depth_model(tmp_path / "relative", "relative"))
    text = DepthEstimationExpert(model=model, device="cpu", max_views=2).write(frames(3))
    header, *views = text.split("\n")
    assert "without a scale" in header
    assert [view.split(":")[0] for view in views] == ["At 0.0 s", "At 1.0 s"]
    assert re.search(r"\d m\b", text) is None

    # The model's own map says which side is nearer; disparity is large where it is near.
    network = transformers.DepthAnythingForDepthEstimation.from_pretrained(model).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(model)
    with torch.inference_mode():
        inputs = processor(images=[frames(3).array[0]], return_tensors="pt")
        disparity = network(**inputs).predicted_depth[0].numpy()
    left, right = np.median(disparity[:, :9]), np.median(disparity[:, -9:])
    nearer = "left" if left > right else "right"
    assert f"the {nearer} side is nearer" in views[0] or "about equally far" in views[0]


def test_a_unit_that_is_none_and_no_frame_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"depth_estimation\.unit"):
        DepthEstimationExpert(unit="feet")
    with pytest.raises(ModalityError, match="one: frame at /media/one has no frame"):
        DepthEstimationExpert(model=str(tmp_path)).write(frames(0))
