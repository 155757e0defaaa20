"""The models that the server has, and what it tells about them."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MODIFIED_AT = "2026-05-01T08:30:00.123456789Z"
"""In nanoseconds, as Ollama writes times: a client that cannot read them should fail here."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model on the shelf."""

    name: str
    capabilities: tuple[str, ...] = ("completion", "tools")
    family: str = "llama"
    parameter_size: str = "3.2B"
    context_length: int = 131072

    @property
    def digest(self) -> str:
        """As stable as the name."""
        return hashlib.sha256(self.name.encode()).hexdigest()

    @property
    def details(self) -> dict[str, Any]:
        """The part that `tags` and `show` have in common."""
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": self.parameter_size,
            "quantization_level": "Q4_K_M",
        }


DEFAULT_MODELS: tuple[ModelCard, ...] = (
    ModelCard("llama3.2:latest"),
    ModelCard("llama3.1:8b", parameter_size="8.0B"),
    ModelCard("qwen3:8b", ("completion", "tools", "thinking"), "qwen3", "8.2B", 40960),
    ModelCard("llama-guard3:latest", ("completion",), parameter_size="8.0B"),
)
"""What is served unless a test says otherwise; only the third one can think."""


class ModelShelf:
    """Finds models by name as Ollama does: without regard to case, `latest` where no tag is given."""

    def __init__(self, models: Iterable[ModelCard | str]) -> None:
        cards = (ModelCard(canonical(model)) if isinstance(model, str) else model for model in models)
        self._cards: Mapping[str, ModelCard] = {canonical(card.name): card for card in cards}

    def find(self, name: str) -> ModelCard | None:
        """The model called so, if there is one."""
        return self._cards.get(canonical(name))

    def tags(self) -> dict[str, Any]:
        """The body of `GET /api/tags`."""
        return {"models": [_tag(card) for card in self._cards.values()]}


def canonical(name: str) -> str:
    """The full form of a model's name."""
    tagged = name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"
    return tagged.lower()


def show(card: ModelCard) -> dict[str, Any]:
    """The body of `POST /api/show`."""
    return {
        "license": "",
        "modelfile": f"FROM {card.name}\n",
        "parameters": 'stop "<|eot_id|>"',
        "template": "{{ .Prompt }}",
        "details": card.details,
        "model_info": {
            "general.architecture": card.family,
            "general.file_type": 15,
            f"{card.family}.context_length": card.context_length,
            "tokenizer.ggml.model": "gpt2",
        },
        "capabilities": list(card.capabilities),
        "modified_at": MODIFIED_AT,
    }


def _tag(card: ModelCard) -> dict[str, Any]:
    return {
        "name": card.name,
        "model": card.name,
        "modified_at": MODIFIED_AT,
        "size": 2019393189,
        "digest": card.digest,
        "details": card.details,
    }
