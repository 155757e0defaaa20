"""Opens the configured model. Providers are imported here alone, and only the one that is asked for."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext

from service.config import Config
from service.errors import ConfigError
from service.models.breaker import Breaker, BreakerGuard, BreakerModel
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


def open_fallback(config: Config) -> AbstractAsyncContextManager[LanguageModel | None]:
    """The model that FABULA_FALLBACK_MODEL names, to stand in for FABULA_MODEL; None when it names none.

    Raises ConfigError as `open_model`, and when it could not stand in for that.
    """
    if not config.fallback_model:
        return nullcontext()
    if _provider(config.model) == "embedded":
        raise ConfigError(["FABULA_FALLBACK_MODEL: the embedded storyteller does not fail: leave it empty"])
    if _canonical(config.fallback_model) == _canonical(config.model):
        raise ConfigError(["FABULA_FALLBACK_MODEL: it is FABULA_MODEL: name another one, or leave it empty"])
    return _open("FABULA_FALLBACK_MODEL", config.fallback_model, config)


def open_fallback_reviewer(config: Config) -> AbstractAsyncContextManager[LanguageModel | None]:
    """The fallback model as a reviewer of what it tells, at temperature 0; None where `open_reviewer` would say so.

    Only where no FABULA_REVIEW_MODEL reviews all that is told.
    """
    if not config.fallback_model or _provider(config.fallback_model) == "embedded":
        return nullcontext()
    return _open("FABULA_FALLBACK_MODEL", config.fallback_model, config.model_copy(update={"model_temperature": 0.0}))


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
    return _breaking_guard(open_ollama_guard(config, config.guard_model.partition(":")[2].strip()))


def _open(setting: str, model: str, config: Config) -> AbstractAsyncContextManager[LanguageModel]:
    provider, name = _provider(model), model.partition(":")[2].strip()
    if not provider or not name:
        raise ConfigError(
            [f"{setting}: expected <provider>:<name>, for example embedded:storyteller or ollama:llama3.1"]
        )
    if provider == "embedded":
        from service.models.embedded import open_embedded  # noqa: PLC0415

        return open_embedded(config, name, setting)
    if provider == "ollama":
        with _ollama_loadable(setting):
            from service.models.ollama import open_ollama  # noqa: PLC0415
        return _breaking(open_ollama(config, name))
    from service.models.other import open_other  # noqa: PLC0415

    return _breaking(open_other(config, provider, name, setting))


@asynccontextmanager
async def _breaking(opening: AbstractAsyncContextManager[LanguageModel]) -> AsyncIterator[LanguageModel]:
    async with opening as model:
        yield BreakerModel(model, Breaker(model.name))


@asynccontextmanager
async def _breaking_guard(opening: AbstractAsyncContextManager[GuardModel]) -> AsyncIterator[GuardModel]:
    async with opening as guard:
        yield BreakerGuard(guard, Breaker(guard.name))


def _provider(model: str) -> str:
    return model.partition(":")[0].strip().lower()


def _canonical(model: str) -> str:
    """The same for two names of one model."""
    return f"{_provider(model)}:{model.partition(':')[2].strip().removesuffix(':latest')}"


@contextmanager
def _ollama_loadable(setting: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # Its library makes a client of its own while it is imported, for OLLAMA_HOST and the environment's proxies.
        raise ConfigError([f"{setting}: {_NO_OLLAMA}"]) from error
