"""A CREMA network from its settings: without weights and without memory for them, or with weights drawn at random."""

from __future__ import annotations

import torch

from lavis.common.dist_utils import broadcast_object
from lavis.models.crema_models.byte_vocabulary import ByteVocabulary
from lavis.models.crema_models.language import T5Vocabulary, Vocabulary
from lavis.models.crema_models.modalities import read_modalities
from lavis.models.crema_models.network import CremaNetwork, Wiring
from lavis.models.crema_models.points import position_table
from lavis.models.crema_models.settings import BYTES, CremaSettings
from lavis.models.crema_models.t5 import build_t5


def build_network(settings: CremaSettings, *, vocabulary: Vocabulary | None = None) -> CremaNetwork:
    """Build the network that settings describe.

    With ``random_weights`` every part is drawn, by rank 0's seed of torch on every rank, and the run's random numbers
    stay where they were. Without, parameters are on the meta device until files give them.

    Raises:
        ConfigError: the settings do not go together.
    """
    vocabulary = vocabulary or build_vocabulary(settings)
    if not settings.random_weights:
        with torch.device("meta"):
            network = _network(settings, vocabulary)
        if "point_positions" in network._buffers:
            network.point_positions = position_table(settings.size.vision.width)
        return network
    seed = broadcast_object(torch.initial_seed())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _network(settings, vocabulary)


def build_vocabulary(settings: CremaSettings) -> Vocabulary:
    """Return the vocabulary that ``t5_model`` names.

    Raises:
        ConfigError: it cannot be loaded.
    """
    return ByteVocabulary() if settings.t5_model == BYTES else T5Vocabulary(settings.t5_model)


def _network(settings: CremaSettings, vocabulary: Vocabulary) -> CremaNetwork:
    words = settings.task.split("-")
    return CremaNetwork(
        modalities=read_modalities(settings.modalities),
        size=settings.size,
        t5=build_t5(settings.t5_settings()),
        vocabulary=vocabulary,
        wiring=Wiring(
            n_frames=settings.frame_num,
            espresso="espresso" in words,
            appended="concat" in words,
            rgb_layout=settings.rgb_layout,
            quirks=settings.reference_quirks,
        ),
        rank=settings.lora_rank,
        dropout=settings.lora_dropout,
        adapted_layers=settings.lora_layer,
        checkpointing=settings.use_grad_checkpoint,
    )
