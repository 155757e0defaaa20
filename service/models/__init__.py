"""Opens the configured model. Providers are imported here alone, and only the one that is asked for."""

from contextlib import AbstractAsyncContextManager

from service.config import Config
from service.errors import ConfigError
from service.runtime.model import LanguageModel


def open_model(config: Config) -> AbstractAsyncContextManager[LanguageModel]:
    """The model that FABULA_MODEL names, built once; leaving the context closes its connections.

    Raises ConfigError when the name is malformed, or its provider unknown or not installed.
    """
    provider, _, name = config.model.partition(":")
    if not provider or not name:
        raise ConfigError(
            ["FABULA_MODEL: expected <provider>:<name>, for example embedded:storyteller or ollama:llama3.1"]
        )
    if provider == "embedded":
        from service.models.embedded import open_embedded  # noqa: PLC0415

        return open_embedded(config, name)
    if provider == "ollama":
        from service.models.ollama import open_ollama  # noqa: PLC0415

        return open_ollama(config, name)
    from service.models.other import open_other  # noqa: PLC0415

    return open_other(config, provider, name)
