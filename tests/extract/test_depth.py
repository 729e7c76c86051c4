"""Depth by a model of transformers: a tiny one with random weights, whose own output is the truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lavis.common.errors import ConfigError, WeightsError
from lavis.datasets.loaders.depth import DepthLoader
from lavis.datasets.loaders.video import VideoLoader
from lavis.extract import Medium, extract_medium
from lavis.extract.depth import DepthExtractor

from media import ClipSpec, write_clip  # isort: skip

N_FRAMES = 5


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Depth Anything of a few thousand weights, as a folder."""
    import torch
    import transformers

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
        depth_estimation_type="metric",
        max_depth=10,
    )
    folder = tmp_path_factory.mktemp("model")
    transformers.DepthAnythingForDepthEstimation(config).save_pretrained(folder)
    preprocessor = {
        "image_processor_type": "DPTImageProcessor",
        "do_resize": True,
        "size": {"height": 28, "width": 28},
        "do_rescale": True,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "do_pad": False,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Medium:
    return Medium("m", write_clip(tmp_path_factory.mktemp("v") / "m.mp4", ClipSpec(n_frames=N_FRAMES, noise=0.8)))


def direct(model: Path, video: Medium) -> np.ndarray:
    import torch
    import transformers

    network = transformers.AutoModelForDepthEstimation.from_pretrained(model).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(model)
    maps = []
    for frame in VideoLoader().load(video.path, media_id="m").array:
        with torch.inference_mode():
            found = network(**processor(images=[frame], return_tensors="pt"))
        (one,) = processor.post_process_depth_estimation(found, target_sizes=[frame.shape[:2]])
        maps.append(one["predicted_depth"].numpy())
    return np.stack(maps)


def test_a_metric_model_gives_metres_at_the_pictures_size(model: Path, video: Medium, tmp_path: Path) -> None:
    truth = direct(model, video)
    assert truth.shape == (N_FRAMES, 96, 128) and truth.std() > 0
    for layout, atol in (("float", 1e-3), ("millimetres", 2e-3)):
        extractor = DepthExtractor(model=str(model), layout=layout, batch=2)
        extract_medium(extractor, video, tmp_path / layout)
        clip = DepthLoader.from_options(extractor.loader_options).load(tmp_path / layout / "m", media_id="m")
        assert clip.unit == "m"
        np.testing.assert_allclose(clip.array, truth, atol=atol)


def test_images_are_stretched_per_frame(model: Path, video: Medium, tmp_path: Path) -> None:
    truth = direct(model, video)
    extractor = DepthExtractor(model=str(model), layout="image")
    extract_medium(extractor, video, tmp_path)
    clip = DepthLoader.from_options(extractor.loader_options).load(tmp_path / "m", media_id="m")
    low, high = truth.min(axis=(1, 2), keepdims=True), truth.max(axis=(1, 2), keepdims=True)
    assert clip.unit == "relative depth"
    np.testing.assert_allclose(clip.array, (truth - low) / (high - low), atol=0.02)


def test_a_relative_model_has_no_millimetres(model: Path, tmp_path: Path) -> None:
    extractor = DepthExtractor(model=str(model), unit="disparity")
    assert extractor.loader_options == {"relative": "disparity"}
    with pytest.raises(ConfigError, match="float, image"):
        DepthExtractor(model=str(model), unit="disparity", layout="millimetres")
    with pytest.raises(ConfigError, match="m, depth, disparity"):
        DepthExtractor(model=str(model), unit="feet")


def test_a_model_that_is_none_is_named(tmp_path: Path, video: Medium, model: Path) -> None:
    with pytest.raises(WeightsError, match=r"config\.json"):
        DepthExtractor(model=str(tmp_path))
    for file in model.glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(WeightsError, match="safetensors"):
        extract_medium(DepthExtractor(model=str(tmp_path)), video, tmp_path / "out")
