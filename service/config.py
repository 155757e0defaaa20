"""The configuration: the environment, read once, validated, frozen. Nothing else reads the environment."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.errors import ConfigError

_PREFIX = "FABULA_"
_OLLAMA_PORT = 11434

Seconds = Annotated[float, Field(ge=0, le=86_400)]
PositiveSeconds = Annotated[float, Field(gt=0, le=86_400)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Config(BaseSettings):
    """Every setting, named as in the environment without FABULA_ and in lower case. README's table describes them."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )

    model: str = "embedded:storyteller"
    ollama_base_url: str = Field(
        default=f"http://127.0.0.1:{_OLLAMA_PORT}",
        validation_alias=AliasChoices("FABULA_OLLAMA_BASE_URL", "OLLAMA_HOST"),
    )
    ollama_keep_alive: str = "5m"
    model_temperature: Annotated[float, Field(ge=0, le=2)] = 0.8
    model_max_tokens: Count = 2048
    model_context_tokens: Count = 8192
    model_reasoning: Literal["off", "on", "low", "medium", "high"] = "off"
    model_connect_seconds: PositiveSeconds = 5
    model_idle_seconds: PositiveSeconds = 120
    model_connections: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    model_seed: int | None = None
    embedded_tokens_per_second: Annotated[float, Field(ge=0, le=1_000_000)] = 40

    grpc_address: str = "127.0.0.1:50051"
    data_dir: Path = Path(".fabula")
    store_url: str = ""
    log_url: str = ""
    commit_interval_seconds: Annotated[float, Field(ge=0, le=1)] = 0.004

    linger_seconds: Seconds = 60
    run_timeout_seconds: PositiveSeconds = 300
    max_streams: Count = 100
    max_runs: Count = 100
    max_rewrites: Annotated[int, Field(ge=0, le=10)] = 1
    heartbeat_seconds: PositiveSeconds = 15
    keepalive_seconds: PositiveSeconds = 10
    keepalive_timeout_seconds: PositiveSeconds = 5
    shutdown_grace_seconds: Seconds = 30
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("grpc_address")
    @classmethod
    def _check_address(cls, value: str) -> str:
        if not re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}", value) or int(value.rsplit(":", 1)[1]) > 65_535:
            raise ValueError("expected HOST:PORT, for example 127.0.0.1:50051 (port 0 takes a free one)")
        return value

    @field_validator("ollama_base_url")
    @classmethod
    def _normalise_base_url(cls, value: str) -> str:
        # OLLAMA_HOST is the server's own variable too: it may lack the scheme or the port, or be the address to bind.
        parts = urlsplit(value if "://" in value else f"http://{value}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected a URL, for example http://127.0.0.1:11434")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(parts.hostname, parts.hostname)  # noqa: S104
        port = parts.port or (_OLLAMA_PORT if "://" not in value else {"http": 80, "https": 443}[parts.scheme])
        credentials = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        return f"{parts.scheme}://{credentials}{f'[{host}]' if ':' in host else host}:{port}{parts.path.rstrip('/')}"

    @property
    def default_database_url(self) -> str:
        """The SQLite file in the data directory, where log and store live unless their URLs say otherwise."""
        return f"sqlite:///{self.data_dir / 'fabula.db'}"


def load_config() -> Config:
    """Reads the environment. Raises ConfigError with every problem at once."""
    problems = _unknown_names(os.environ)
    try:
        config = Config()
    except ValidationError as error:
        problems += [_problem(each["loc"], each["msg"]) for each in error.errors(include_input=False)]
    if problems:
        raise ConfigError(problems)
    return config


def _unknown_names(environment: Mapping[str, str]) -> list[str]:
    # A setting that nothing reads must not look as if it were in force: think of a guard model.
    known = {_PREFIX + name.upper() for name in Config.model_fields}
    unknown = sorted(name for name in environment if name.startswith(_PREFIX) and name not in known)
    return [f"{name} is not a setting of this version; README lists those that are" for name in unknown]


def _problem(location: tuple[int | str, ...], message: str) -> str:
    name = str(location[0])
    variable = name if name in ("OLLAMA_HOST",) or name.startswith(_PREFIX) else _PREFIX + name.upper()
    return f"{variable}: {message.removeprefix('Value error, ')}"
