"""A chat model of the transformers library with its tokenizer and template: one batch in, completions out."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, ClassVar

from lavis.common.errors import ConfigError, LavisError, ReasonerError, ReasonerUnusableError
from lavis.reasoners.base import AnswerForm, Completion, Prompt, Usage
from lavis.reasoners.chat_reply import split_thinking
from lavis.reasoners.token_trie import BatchGuide, ChoiceGuide, Spelling

# Lists of choices whose tokens are remembered: the questions of a benchmark often share one list.
N_REMEMBERED = 32
# Of a weights file, this many blocks are read for the fingerprint.
FINGERPRINT_BLOCKS, FINGERPRINT_BLOCK_BYTES = 64, 1 << 16
FINGERPRINTED = (".json", ".jinja", ".txt", ".model", ".safetensors")


@dataclasses.dataclass
class Row:
    """A prompt that waits for its completion, and what became of it."""

    prompt: Prompt
    future: Future[Completion]
    start_s: float
    tokens: list[int] = dataclasses.field(default_factory=list)
    guide: ChoiceGuide | None = None
    n_new: int = 0


class ChatModel:
    """A tokenizer with its chat template and, once something is generated, the model itself.

    ``auto_class`` names the class of transformers that loads it.

    Args:
        source: a folder or a hub name.
        device: null for cuda if there is one, else cpu.
        dtype: null for bfloat16 on a CUDA device that has it, else float32.
        context_tokens: null for what the model's config says.
        answer_form: ``text`` begins a constrained turn with the prompt's lead.
        enable_thinking: handed to the chat template unless null.
    """

    auto_class: ClassVar[str] = "AutoModelForCausalLM"

    def __init__(
        self,
        source: str,
        *,
        device: str | None,
        dtype: str | None,
        context_tokens: int | None,
        answer_form: AnswerForm,
        enable_thinking: bool | None,
    ) -> None:
        self.source = source
        self.folder = _folder(source)
        self.name = self.folder.resolve().name if self.folder else source
        self.device = device
        self.dtype = dtype
        self.context_tokens = context_tokens or _context_in(self.folder)
        self.answer_form = answer_form
        self.enable_thinking = enable_thinking
        self._tokenizer_lock = threading.RLock()
        self._tokenizer: Any = None
        self._specials: tuple[str, ...] = ()
        self._guides: dict[Any, ChoiceGuide] = {}
        self._network: Any = None

    def encode(self, prompt: Prompt) -> list[int]:
        """Return a prompt's tokens, with the beginning of the assistant's turn."""
        with self._tokenizer_lock:
            tokenizer = self._texts()
            plain = _with_parts(prompt, self._defused)
            if not tokenizer.chat_template:
                return _ids(tokenizer, plain.text(), add_special_tokens=True)
            text = self._turns(tokenizer, plain)
            if self._leads(prompt):
                text += plain.lead
            # The template writes the control tokens itself, the beginning of the text included.
            return _ids(tokenizer, text, add_special_tokens=False)

    def guide(self, prompt: Prompt) -> ChoiceGuide:
        """Return the guide through a prompt's choices, which are spelled as they follow the lead or stand alone."""
        with self._tokenizer_lock:
            tokenizer = self._texts()
            before = prompt.lead if self._leads(prompt) or not tokenizer.chat_template else ""
            key = (prompt.choices, prompt.max_choices, before)
            guide = self._guides.pop(key, None)
            if guide is None:
                names = [self._defused(choice) for choice in prompt.choices]
                firsts = _continuations(tokenizer, before, [f" {name}" if before else name for name in names])
                further: Sequence[tuple[int, ...]] = [()] * len(names)
                if prompt.max_choices > 1:
                    further = _continuations(tokenizer, "a", [f", {name}" for name in names])
                guide = ChoiceGuide(
                    list(map(Spelling, prompt.choices, firsts, further)), max_choices=prompt.max_choices
                )
            self._guides[key] = guide  # the newest last
            while len(self._guides) > N_REMEMBERED:
                del self._guides[next(iter(self._guides))]
        return guide

    def generate(self, rows: Sequence[Row]) -> list[Completion]:
        """Complete encoded rows in one batch, padded on the left."""
        import torch

        network = self._loaded()
        width = max(len(row.tokens) for row in rows)
        pad_id, end_ids = network.generation_config.pad_token_id, network.generation_config.eos_token_id
        padded = [[pad_id] * (width - len(row.tokens)) + row.tokens for row in rows]
        real = [[0] * (width - len(row.tokens)) + [1] * len(row.tokens) for row in rows]
        guide = BatchGuide(
            [row.guide for row in rows], [row.prompt.max_tokens for row in rows], width=width, end_ids=end_ids
        )
        generated = network.generate(
            input_ids=torch.tensor(padded, device=network.device),
            attention_mask=torch.tensor(real, device=network.device),
            max_new_tokens=max(row.n_new for row in rows),
            logits_processor=[guide.mask],
            stopping_criteria=[guide.follow],
        )
        said = generated[:, width:].tolist()
        return [
            self._completion(row, guide, at, tokens) for at, (row, tokens) in enumerate(zip(rows, said, strict=True))
        ]

    def _completion(self, row: Row, guide: BatchGuide, at: int, tokens: list[int]) -> Completion:
        if row.guide is not None:
            reasoning, text = "", row.guide.text(guide.places[at])
        else:
            with self._tokenizer_lock:
                decoded = self._texts().decode(
                    tokens[: guide.n_said[at]], skip_special_tokens=True, clean_up_tokenization_spaces=False
                )
            reasoning, text = split_thinking(decoded)
        return Completion(
            text=text,
            reasoning=reasoning,
            usage=Usage(input_tokens=len(row.tokens), output_tokens=guide.n_said[at]),
            model=self.name,
            latency_s=time.perf_counter() - row.start_s,
            cut=row.guide is None and not guide.at_end[at],
        )

    def _turns(self, tokenizer: Any, prompt: Prompt) -> str:
        """Return the chat as the model's template writes it, up to where the assistant speaks."""
        options = {} if self.enable_thinking is None else {"enable_thinking": self.enable_thinking}
        system, user = prompt.messages()
        # Some templates refuse a system message; its text then begins the user's.
        joined = {"role": "user", "content": "\n\n".join(filter(None, (system["content"], user["content"])))}
        chats = [[system, user], [joined]] if prompt.system else [[joined]]
        for chat in chats:
            try:
                text: str = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True, **options)
            except Exception as error:
                failure = error
                continue
            # A template may begin the thought itself; a choice does not belong into it.
            return f"{text.rstrip()}\n</think>\n\n" if prompt.choices and text.rstrip().endswith("<think>") else text
        raise ReasonerError(f"The chat template of {self.name} refuses the prompt: {said(failure)}")

    def _leads(self, prompt: Prompt) -> bool:
        """Return whether the assistant's turn is begun with the prompt's lead."""
        return bool(prompt.lead and prompt.choices and self.answer_form == "text")

    def _defused(self, text: str) -> str:
        """Return a text whose control tokens are broken up, so that they are read as text."""
        for token in self._specials:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def free(self) -> None:
        """Drop tokenizer and model; they are loaded again when they are needed."""
        with self._tokenizer_lock:
            self._tokenizer = None
            self._guides.clear()
        self._network = None

    def _texts(self) -> Any:
        """Return the tokenizer, loaded when first asked for, with what the model's config says."""
        if self._tokenizer is None:
            with self._loading():
                import transformers

                config = transformers.AutoConfig.from_pretrained(self._place, trust_remote_code=False)
                tokenizer = transformers.AutoTokenizer.from_pretrained(self._place, trust_remote_code=False)
                # Without its files the library makes an empty tokenizer, and says nothing.
                if "answer" not in tokenizer.decode(_ids(tokenizer, "the answer", add_special_tokens=False)):
                    raise ValueError("its tokenizer spells no word: are the tokenizer's files there?")
                added = tokenizer.added_tokens_decoder.values()
                special = {token.content for token in added if token.special} | set(tokenizer.all_special_tokens)
                self._specials = tuple(sorted((token for token in special if len(token) > 1), key=len, reverse=True))
                if self.context_tokens is None:
                    self.context_tokens = getattr(config.get_text_config(), "max_position_embeddings", None)
                self._tokenizer = tokenizer
        return self._tokenizer

    def _spelling(self) -> Any:
        """Return the tokenizer that what is generated is read by."""
        return self._texts()

    def _loaded(self) -> Any:
        """Return the model, loaded when first asked for; it decodes greedily, whatever its own settings say."""
        if self._network is None:
            with self._tokenizer_lock:
                tokenizer = self._spelling()
            device, dtype = self.device_and_dtype()
            with self._loading():
                import torch
                import transformers

                network, loaded = getattr(transformers, self.auto_class).from_pretrained(
                    self._place,
                    dtype=getattr(torch, dtype),
                    use_safetensors=True,  # nothing is unpickled
                    trust_remote_code=False,
                    output_loading_info=True,
                )
                if missing := sorted(loaded["missing_keys"]):
                    raise ValueError(f"{len(missing)} weights are not in its files, {missing[0]} among them")
                network = network.to(device)
                end_ids = _end_ids(tokenizer, network.generation_config)
                if not end_ids:
                    raise ReasonerUnusableError(f"{self.name} has no token that ends a text; choose another model.")
                pad_id = end_ids[0] if tokenizer.pad_token_id is None else tokenizer.pad_token_id
                network.generation_config = transformers.GenerationConfig(
                    do_sample=False, eos_token_id=end_ids, pad_token_id=pad_id
                )
                self._network = network.eval()
        return self._network

    @contextlib.contextmanager
    def _loading(self) -> Iterator[None]:
        """Turn whatever goes wrong while files are read into one error with the way out."""
        try:
            yield
        except LavisError:
            raise
        except ImportError as error:
            raise ReasonerUnusableError(
                f"the transformers reasoner needs torch and transformers ({error}): "
                "pip install 'salesforce-lavis[models]'"
            ) from None
        except Exception as error:
            out = "Give a folder with config.json, *.safetensors and the tokenizer's files, or a hub name"
            if self.folder is None:
                out = "There is no folder of this name; a hub name needs the hub or its cache. " + out
            elif not self.folder.is_dir():
                out = "There is no such folder. " + out
            raise ReasonerUnusableError(
                f"The model {self.source!r} cannot be loaded. {out} (model.reasoner.model). It said: {said(error)}"
            ) from None

    @property
    def _place(self) -> str:
        return str(self.folder) if self.folder else self.source

    def device_and_dtype(self) -> tuple[str, str]:
        """Return where the model is computed, and in which precision."""
        with self._loading():
            import torch
        device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            kind = torch.device(device).type
        except RuntimeError as error:
            raise ConfigError(f"transformers reasoner: device {device!r} is none: {said(error)}") from None
        half = kind == "cuda" and torch.cuda.is_available() and torch.cuda.is_bf16_supported()
        return device, self.dtype or ("bfloat16" if half else "float32")

    def fingerprint(self) -> str:
        """Return the hub's commit, or the sha256 of a folder's files."""
        with self._loading():
            if self.folder is not None:
                return _folder_sha256(self.folder)
            import transformers

            config = transformers.AutoConfig.from_pretrained(self.source, trust_remote_code=False)
            return str(config._commit_hash)


def _context_in(folder: Path | None) -> int | None:
    """Return how many positions a model in a folder has, before anything of it is loaded."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8")) if folder else {}
        found = {**config, **config.get("text_config", {})}.get("max_position_embeddings")
    except (OSError, ValueError, AttributeError, TypeError):
        return None  # the first prompt will say what is wrong
    return found if isinstance(found, int) else None


def _folder(model: str) -> Path | None:
    """Return the folder that a model's name means; None for a hub name."""
    path = Path(model).expanduser()
    is_path = path.is_absolute() or model.startswith(".") or model.count("/") > 1
    return path if is_path or path.is_dir() else None


def _folder_sha256(folder: Path) -> str:
    """Return the sha256 over what decides a completion in a model's folder.

    Names and sizes of its files, the whole of those that are text, and of weights blocks spread evenly:
    two trainings of one model have files of one size, and reading all of 15 GB would take longer than an answer.
    """
    digest = hashlib.sha256()
    names = sorted(path for path in folder.iterdir() if path.suffix in FINGERPRINTED)
    if not any(path.name == "config.json" for path in names):
        raise FileNotFoundError("config.json is not there")
    for path in names:
        n_bytes = path.stat().st_size
        digest.update(f"{path.name}\0{n_bytes}\0".encode())
        with path.open("rb") as stream:
            if path.suffix != ".safetensors" or n_bytes <= FINGERPRINT_BLOCKS * FINGERPRINT_BLOCK_BYTES:
                digest.update(stream.read())
                continue
            for block in range(FINGERPRINT_BLOCKS):
                stream.seek(block * (n_bytes - FINGERPRINT_BLOCK_BYTES) // (FINGERPRINT_BLOCKS - 1))
                digest.update(stream.read(FINGERPRINT_BLOCK_BYTES))
    return digest.hexdigest()


def _ids(tokenizer: Any, text: str, *, add_special_tokens: bool) -> list[int]:
    return list(tokenizer(text, add_special_tokens=add_special_tokens)["input_ids"])


def _continuations(tokenizer: Any, before: str, texts: Sequence[str]) -> list[tuple[int, ...]]:
    """Return the tokens with which each text continues ``before``: a vocabulary may write it otherwise alone."""
    head = _ids(tokenizer, before, add_special_tokens=False) if before else []
    spelled = []
    for text, whole in zip(texts, _batch_ids(tokenizer, [before + text for text in texts]), strict=True):
        joins = whole[: len(head)] == head
        spelled.append(tuple(whole[len(head) :] if joins else _ids(tokenizer, text, add_special_tokens=False)))
    return spelled


def _batch_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    return [list(ids) for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]]


def _end_ids(tokenizer: Any, generation_config: Any) -> list[int]:
    """Return the tokens that end a text, by the tokenizer and by the model."""
    of_model = generation_config.eos_token_id
    found = [tokenizer.eos_token_id, *(of_model if isinstance(of_model, list) else [of_model])]
    return list(dict.fromkeys(token for token in found if token is not None))


def _with_parts(prompt: Prompt, change: Callable[[str], str]) -> Prompt:
    """Return a prompt with its texts changed, and without images: this reasoner does not see."""
    return dataclasses.replace(
        prompt,
        system=change(prompt.system),
        shared=change(prompt.shared),
        own=change(prompt.own),
        lead=change(prompt.lead),
        images=(),
    )


def said(error: Exception) -> str:
    """Return an error's kind and the first line of what it says."""
    return f"{type(error).__name__}: {(str(error).strip() or 'nothing').splitlines()[0][:300]}"
