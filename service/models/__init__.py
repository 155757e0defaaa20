"""Opens the configured model. Providers are imported here alone, and only the one that is asked for."""

from contextlib import AbstractAsyncContextManager

from service.config import Config
from service.errors import ConfigError
from service.runtime.model import LanguageModel

_NO_OLLAMA = (
    "FABULA_MODEL: Ollama's library can't be loaded in this environment: is OLLAMA_HOST, where set, an address, "
    "and do HTTP_PROXY and ALL_PROXY, where set, hold http:// URLs? A SOCKS proxy needs the package socksio."
)


def open_model(config: Config) -> AbstractAsyncContextManager[LanguageModel]:
    """The model that FABULA_MODEL names, built once. Leaving the context closes its connections, if the provider can.

    Raises ConfigError when the name is malformed, or its provider unknown or not installed.
    """
    provider, _, name = (part.strip() for part in config.model.partition(":"))
    provider = provider.lower()
    if not provider or not name:
        raise ConfigError(
            ["FABULA_MODEL: expected <provider>:<name>, for example embedded:storyteller or ollama:llama3.1"]
        )
    if provider == "embedded":
        from service.models.embedded import open_embedded  # noqa: PLC0415

        return open_embedded(config, name)
    if provider == "ollama":
        try:
            from service.models.ollama import open_ollama  # noqa: PLC0415
        except Exception as error:
            # Its library makes a client of its own while it is imported, for OLLAMA_HOST and the environment's proxies.
            raise ConfigError([_NO_OLLAMA]) from error

        return open_ollama(config, name)
    from service.models.other import open_other  # noqa: PLC0415

    return open_other(config, provider, name)
