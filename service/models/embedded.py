"""The embedded storyteller: the default that needs no model server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.config import Config
from service.errors import ConfigError, FabulaError
from service.models.chat import ChatModel
from service.models.storyteller import EmbeddedStoryteller


@asynccontextmanager
async def open_embedded(config: Config, name: str, setting: str = "FABULA_MODEL") -> AsyncIterator[ChatModel]:
    """Yields the storyteller. Raises ConfigError for any other name, which `setting` names."""
    if name != "storyteller":
        raise ConfigError([f"{setting}: there is no embedded:{name}; the embedded model is embedded:storyteller"])
    chat = EmbeddedStoryteller(seed=config.model_seed, tokens_per_second=config.embedded_tokens_per_second)
    yield ChatModel("embedded:storyteller", chat, _translate)


def _translate(_: Exception) -> FabulaError | None:
    return None
