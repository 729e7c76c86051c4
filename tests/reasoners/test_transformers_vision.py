"""The vision reasoner with a tiny random LLaVA that is built here: what it sees, says and refuses."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lavis.common import event_loop
from lavis.common.errors import ContextTooLongError, ReasonerUnusableError
from lavis.datasets.loaders.base import Clip
from lavis.experts.served.vision import VideoDescriptionExpert
from lavis.reasoners import Prompt
from lavis.reasoners.base import PromptImage
from lavis.reasoners.transformers_vision import TransformersVisionReasoner

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SIDE_PX, PATCH_PX, CONTEXT = 28, 14, 512
TOKENS_PER_PICTURE = (SIDE_PX // PATCH_PX) ** 2
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for part in m.content %}"
    "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build(folder: Path) -> Path:
    """Save a LLaVA of two small layers on each side, with random weights, as a hub would hold it."""
    import tokenizers

    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(["the answer is red or blue", "Report what the picture shows"] * 4, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens={"image_token": "<image>"},
    )
    torch.manual_seed(0)
    layers = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(image_size=SIDE_PX, patch_size=PATCH_PX, **layers),
        text_config=transformers.Qwen2Config(
            vocab_size=len(tokenizer),
            num_key_value_heads=2,
            max_position_embeddings=CONTEXT,
            initializer_range=0.4,
            **layers,
        ),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=TOKENS_PER_PICTURE,
    )
    network = transformers.LlavaForConditionalGeneration(config)
    with torch.no_grad():  # what is seen must weigh as much as what is read
        network.model.multi_modal_projector.linear_2.weight.mul_(60)
    network.generation_config.eos_token_id = tokenizer.eos_token_id
    network.save_pretrained(folder)
    size = {"height": SIDE_PX, "width": SIDE_PX}
    pictures = transformers.CLIPImageProcessorPil(size={"shortest_edge": SIDE_PX}, crop_size=size)
    processor = transformers.LlavaProcessor(
        image_processor=pictures,
        tokenizer=tokenizer,
        patch_size=PATCH_PX,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("models") / "tiny-llava")


@pytest.fixture(scope="module")
def reasoner(folder: Path) -> Iterator[TransformersVisionReasoner]:
    made = TransformersVisionReasoner(model=str(folder), device="cpu", batch_size=4, max_wait_s=0.3)
    yield made
    made.close()


def picture(seed: int) -> PromptImage:
    from PIL import Image

    buffer = io.BytesIO()
    colours = np.random.default_rng(seed).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(colours).save(buffer, "PNG")
    return PromptImage(buffer.getvalue(), "image/png")


def ask(*seeds: int, own: str = "Report what the picture shows.", **changes: Any) -> Prompt:
    images = tuple(picture(seed) for seed in seeds)
    return Prompt(**{"system": "You look.", "shared": "", "own": own, "max_tokens": 12, "images": images, **changes})


def test_what_it_says_depends_on_the_picture_and_is_the_same_every_time(reasoner: TransformersVisionReasoner) -> None:
    said = [reasoner.complete(ask(seed)).text for seed in range(6)]
    assert said == [reasoner.complete(ask(seed)).text for seed in range(6)]
    assert len(set(said)) > 1


def test_every_picture_takes_its_tokens_and_is_counted_as_input(reasoner: TransformersVisionReasoner) -> None:
    without, one, three = (reasoner.count_tokens(ask(*seeds)) for seeds in ((), (0,), (0, 1, 2)))
    assert (one - without, three - without) == (TOKENS_PER_PICTURE, 3 * TOKENS_PER_PICTURE)
    completion = reasoner.complete(ask(0))
    assert completion.usage.input_tokens == one
    assert 0 < completion.usage.output_tokens <= 12
    assert completion.model == "tiny-llava"


def test_a_batch_of_prompts_with_one_picture_several_and_none_says_what_each_says_alone(
    reasoner: TransformersVisionReasoner, folder: Path
) -> None:
    prompts = [ask(0), ask(1, 2, 3, own="Report."), ask(own="Is it red or blue?"), ask(4, own="red or blue?")]
    with ThreadPoolExecutor(4) as pool:
        together = [completion.text for completion in pool.map(reasoner.complete, prompts)]
    alone = TransformersVisionReasoner(model=str(folder), device="cpu")
    assert together == [alone.complete(prompt).text for prompt in prompts]
    alone.close()


def test_choices_hold_it_to_one_of_them(reasoner: TransformersVisionReasoner) -> None:
    for seed in range(3):
        assert reasoner.complete(ask(seed, choices=("red", "blue"))).text in ("red", "blue")


def test_marks_of_pictures_in_the_prompt_s_text_are_text(reasoner: TransformersVisionReasoner) -> None:
    """Writing in a medium that names the mark would be taken for a picture that is not there."""
    completion = reasoner.complete(ask(0, own="It says <image><image><|im_end|> here."))
    assert completion.usage.input_tokens == reasoner.count_tokens(ask(0, own="It says <image><image><|im_end|> here."))
    tokens = reasoner._chat.encode(ask(0, own="It says <image><image><|im_end|> here."))
    mark = reasoner._chat._ready().tokenizer.convert_tokens_to_ids("<image>")  # type: ignore[attr-defined]
    assert tokens.count(mark) == TOKENS_PER_PICTURE


def test_pictures_that_do_not_fit_are_a_context_that_is_too_long(reasoner: TransformersVisionReasoner) -> None:
    with pytest.raises(ContextTooLongError) as told:
        reasoner.complete(ask(*([0] * 140)))
    assert told.value.limit_tokens == CONTEXT


def test_an_expert_asks_it_and_shows_fewer_frames_where_they_do_not_fit(reasoner: TransformersVisionReasoner) -> None:
    """Twenty-four frames with their labels need more than the context's 512 tokens; twelve do not."""
    expert = VideoDescriptionExpert(instruction="Report.", max_tokens=12, n_images=24)
    expert.reasoner = reasoner
    frames = np.random.default_rng(0).integers(0, 256, (24, 40, 60, 3), np.uint8)
    times = tuple(float(k) for k in range(24))
    clip = Clip("one", "frame", frames, "t h w c", "uint8 RGB", Path("one"), timestamps_s=times)
    text, completion, shown = event_loop.run(expert.said(expert.show(clip), lambda whom, what: whom.acomplete(what)))
    assert len(shown.images) == len(shown.labels) == 12
    assert (shown.labels[0], shown.labels[-1]) == ("at 0.0 s", "at 23.0 s")
    assert text
    assert completion.usage.input_tokens <= CONTEXT - 12


def test_a_model_without_a_processor_is_refused_with_the_way_out(tmp_path: Path, folder: Path) -> None:
    import shutil

    blind = tmp_path / "blind"
    shutil.copytree(folder, blind)
    for name in ("processor_config.json", "preprocessor_config.json", "chat_template.jinja"):
        (blind / name).unlink(missing_ok=True)
    with pytest.raises(ReasonerUnusableError, match=r"cannot be loaded.*model\.reasoner\.model"):
        TransformersVisionReasoner(model=str(blind)).complete(ask(0))


def test_its_identity_says_the_files_but_not_how_it_is_asked(folder: Path) -> None:
    one = TransformersVisionReasoner(model=str(folder), batch_size=1).identity()
    assert one == TransformersVisionReasoner(model=str(folder), batch_size=4, max_wait_s=1.0).identity()
    assert (one["type"], one["model"], len(one["fingerprint"])) == ("transformers_vision", "tiny-llava", 64)
