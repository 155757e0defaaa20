"""Opens the configured model. Providers are imported here alone, and only the one that is asked for."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext

from service.config import Config
from service.errors import ConfigError
from service.runtime.model import GuardModel, LanguageModel

_NO_OLLAMA = (
    "Ollama's library can't be loaded in this environment: is OLLAMA_HOST, where set, an address, "
    "and do HTTP_PROXY and ALL_PROXY, where set, hold http:// URLs? A SOCKS proxy needs the package socksio."
)


def open_model(config: Config) -> AbstractAsyncContextManager[LanguageModel]:
    """The model that FABULA_MODEL names, built once. Leaving the context closes its connections, if the provider can.

    Raises ConfigError when the name is malformed, or its provider unknown or not installed.
    """
    return _open("FABULA_MODEL", config.model, config)


def open_reviewer(config: Config) -> AbstractAsyncContextManager[LanguageModel | None]:
    """The model that reviews: FABULA_REVIEW_MODEL, or else the one that tells, at temperature 0.

    None when that is the embedded storyteller. It can't judge a text: what it writes is composed of sentences that
    people have read, and of inputs that were screened. Raises ConfigError as `open_model`.
    """
    if _provider(config.review_model) == "embedded":
        raise ConfigError(["FABULA_REVIEW_MODEL: the embedded storyteller can't judge a text: leave it empty"])
    model = config.review_model or config.model
    if _provider(model) == "embedded":
        return nullcontext()
    setting = "FABULA_REVIEW_MODEL" if config.review_model else "FABULA_MODEL"
    return _open(setting, model, config.model_copy(update={"model_temperature": 0.0}))


def open_guard(config: Config) -> AbstractAsyncContextManager[GuardModel | None]:
    """The guard model that FABULA_GUARD_MODEL names; None when it names none. Raises ConfigError."""
    if not config.guard_model:
        return nullcontext()
    if _provider(config.guard_model) != "ollama":
        raise ConfigError(["FABULA_GUARD_MODEL: expected ollama:<name>, for example ollama:llama-guard3"])
    with _ollama_loadable("FABULA_GUARD_MODEL"):
        from service.models.guard import open_ollama_guard  # noqa: PLC0415
    return open_ollama_guard(config, config.guard_model.partition(":")[2].strip())


def _open(setting: str, model: str, config: Config) -> AbstractAsyncContextManager[LanguageModel]:
    provider, name = _provider(model), model.partition(":")[2].strip()
    if not provider or not name:
        raise ConfigError(
            [f"{setting}: expected <provider>:<name>, for example embedded:storyteller or ollama:llama3.1"]
        )
    if provider == "embedded":
        from service.models.embedded import open_embedded  # noqa: PLC0415

        return open_embedded(config, name)
    if provider == "ollama":
        with _ollama_loadable(setting):
            from service.models.ollama import open_ollama  # noqa: PLC0415
        return open_ollama(config, name)
    from service.models.other import open_other  # noqa: PLC0415

    return open_other(config, provider, name, setting)


def _provider(model: str) -> str:
    return model.partition(":")[0].strip().lower()


@contextmanager
def _ollama_loadable(setting: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # Its library makes a client of its own while it is imported, for OLLAMA_HOST and the environment's proxies.
        raise ConfigError([f"{setting}: {_NO_OLLAMA}"]) from error
