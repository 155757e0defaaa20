"""The configuration: the environment, read once, validated, frozen. Nothing else reads the environment."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.addresses import as_browsers_write, completed, is_address, split_url, url_parts
from service.errors import ConfigError

_PREFIX = "FABULA_"
_KEYS = "FABULA_AUTH_"
_BASE_URL, _HOST = "FABULA_OLLAMA_BASE_URL", "OLLAMA_HOST"
_OLLAMA_PORT = 11434
_KEYS_EXAMPLE = "https://issuer.example/.well-known/jwks.json"
_CLIENT_TOKEN = "FABULA_TOKEN"  # noqa: S105 -- the name of what the terminal program reads

PROMPT_TOKENS = 3_000
"""What a prompt takes at the most beside the chapters that it quotes, in tokens."""

LEAST_SECRET_BYTES = 32
"""Of a secret that signs tokens: as many as HS256 makes (RFC 7518, 3.2)."""

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
"""What browsers call this machine by."""

NO_GATEWAY = "off"
"""The http_address of a service that has no gateway."""

Seconds = Annotated[float, Field(ge=0, le=86_400)]
PositiveSeconds = Annotated[float, Field(gt=0, le=86_400)]
Share = Annotated[int, Field(ge=0, le=1_000_000)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Config(BaseSettings):
    """Every setting, named as in the environment without FABULA_ and in lower case. README's table describes them."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_ignore_empty=True,  # as deployments leave out what they have a line for
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    model: str = "embedded:storyteller"
    fallback_model: str = ""
    ollama_base_url: str = Field(
        default=f"http://127.0.0.1:{_OLLAMA_PORT}",
        validation_alias=AliasChoices(_BASE_URL, _HOST),
    )
    ollama_keep_alive: str = "5m"
    model_temperature: Annotated[float, Field(ge=0, le=2)] = 0.8
    model_max_tokens: Count = 2048
    model_context_tokens: Count = 8192
    model_reasoning: Literal["off", "on", "low", "medium", "high"] = "off"
    model_connect_seconds: PositiveSeconds = 5
    model_idle_seconds: PositiveSeconds = 120
    model_connections: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    model_retries: Annotated[int, Field(ge=0, le=10)] = 2
    model_retry_seconds: Annotated[float, Field(ge=0, le=60)] = 0.5
    model_seed: Annotated[int, Field(ge=0, le=2**32 - 1)] | None = None
    review_model: str = ""
    review_timeout_seconds: PositiveSeconds = 60
    guard_model: str = ""
    embedded_tokens_per_second: Annotated[float, Field(ge=0, le=1_000_000)] = 40

    auth_secret: SecretStr | None = None
    auth_key_file: Path | None = None
    auth_jwks_url: str = ""
    auth_issuer: str = ""
    auth_audience: str = "fabula"

    grpc_address: str = "127.0.0.1:50051"
    http_address: str = "127.0.0.1:8000"
    http_hosts: str = ""
    cors_origins: str = ""
    gateway_target: str = ""
    data_dir: Path = Path(".fabula")
    store_url: str = ""
    log_url: str = ""
    commit_interval_seconds: Annotated[float, Field(ge=0, le=1)] = 0.004

    linger_seconds: Seconds = 60
    run_timeout_seconds: PositiveSeconds = 300
    pause_seconds: PositiveSeconds = 300
    max_streams: Count = 100
    max_runs: Count = 100
    run_watchers: Count = 100
    account_runs_per_minute: Share = 30
    account_runs: Share = 10
    account_streams: Share = 50
    max_rewrites: Annotated[int, Field(ge=0, le=10)] = 1
    planned_chapters: Annotated[int, Field(ge=1, le=100)] = 5
    retention_days: Annotated[float, Field(ge=0, le=36_500)] = 365
    heartbeat_seconds: PositiveSeconds = 15
    keepalive_seconds: PositiveSeconds = 10
    keepalive_timeout_seconds: PositiveSeconds = 5
    shutdown_grace_seconds: Seconds = 30
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _check_context(self) -> Self:
        least = 2 * self.model_max_tokens + PROMPT_TOKENS
        if self.model_context_tokens < least:
            raise ValueError(
                f"FABULA_MODEL_CONTEXT_TOKENS: expected at least {least}, which is twice FABULA_MODEL_MAX_TOKENS (a "
                f"chapter and its rewrite) and {PROMPT_TOKENS} for the prompt: Ollama would cut what is more, silently"
            )
        return self

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        sources = [self.auth_secret is not None, self.auth_key_file is not None, bool(self.auth_jwks_url)]
        if sum(sources) > 1:
            raise ValueError(
                "FABULA_AUTH_SECRET, FABULA_AUTH_KEY_FILE, FABULA_AUTH_JWKS_URL: expected one of them, for a token is "
                "verified with one kind of key"
            )
        if any(sources) and not (self.auth_issuer and self.auth_audience):
            raise ValueError("FABULA_AUTH_ISSUER: expected the iss of the tokens, as keys are configured")
        if self.auth_issuer and not any(sources):
            raise ValueError("FABULA_AUTH_ISSUER: expected keys as well, without which anybody may do everything")
        return self

    @field_validator("auth_secret")
    @classmethod
    def _check_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < LEAST_SECRET_BYTES:
            raise ValueError(f"expected at least {LEAST_SECRET_BYTES} bytes, for example of: openssl rand -hex 32")
        return value

    @field_validator("auth_jwks_url")
    @classmethod
    def _check_jwks_url(cls, value: str) -> str:
        if not value:
            return value
        parts = url_parts(value)
        if parts is None or "@" in parts.netloc:  # a query is right: some issuers tell their key sets apart by it
            raise ValueError(f"expected a URL without credentials, for example {_KEYS_EXAMPLE}")
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("expected https: who could change the answer on its way could sign tokens")
        return value

    @field_validator("grpc_address")
    @classmethod
    def _check_address(cls, value: str) -> str:
        if not is_address(value):
            raise ValueError("expected HOST:PORT, for example 127.0.0.1:50051 (port 0 takes a free one)")
        return value

    @field_validator("http_address")
    @classmethod
    def _check_http_address(cls, value: str) -> str:
        if value != NO_GATEWAY and not is_address(value):
            raise ValueError(
                f"expected HOST:PORT, for example 127.0.0.1:8000 (port 0 takes a free one), or {NO_GATEWAY}"
            )
        return value

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, value: str) -> str:
        origins = [each.strip() for each in value.split(",") if each.strip()]
        if not all(re.fullmatch(r"https?://(\[[0-9a-f:]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?", each) for each in origins):
            raise ValueError("expected origins with commas between, for example https://stories.example")
        return ",".join(origins)

    @field_validator("http_hosts")
    @classmethod
    def _check_hosts(cls, value: str) -> str:
        hosts = [each.strip().lower() for each in value.split(",") if each.strip()]
        if not all(re.fullmatch(r"\[[0-9a-f:]+\]|[a-z0-9._-]+", each) for each in hosts):
            raise ValueError("expected names without ports, with commas between, for example stories.example")
        return ",".join(as_browsers_write(each) for each in hosts)

    @field_validator("ollama_base_url")
    @classmethod
    def _normalise_base_url(cls, value: str) -> str:
        # OLLAMA_HOST is the server's own variable too: it may lack scheme, host or port, or be the address to bind.
        bare = "://" not in value
        parts = split_url(f"http://{completed(value.strip())}" if bare else value.strip())
        host = str(parts.hostname)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        port = parts.port or (_OLLAMA_PORT if bare else {"http": 80, "https": 443}[parts.scheme])
        credentials = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        return f"{parts.scheme}://{credentials}{f'[{host}]' if ':' in host else host}:{port}{parts.path.rstrip('/')}"

    @field_validator("ollama_keep_alive")
    @classmethod
    def _check_keep_alive(cls, value: str) -> str:
        # Ollama takes a bare number in a text for a fault: it wants the unit.
        if re.fullmatch(r"-?[0-9]{1,9}", value):
            return f"{value}s"
        if not re.fullmatch(r"-?([0-9]{1,9}(\.[0-9]{1,9})?(h|m|s|ms))+", value):
            raise ValueError("expected a time as 5m or 1h30m, or seconds; negative is for ever, 0 not at all")
        return value

    @property
    def has_keys(self) -> bool:
        """Whether callers are told apart by tokens."""
        return self.auth_secret is not None or self.auth_key_file is not None or bool(self.auth_jwks_url)

    @property
    def allowed_origins(self) -> Sequence[str]:
        """The sites whose pages may call the gateway."""
        return [each for each in self.cors_origins.split(",") if each]

    @property
    def allowed_hosts(self) -> Sequence[str]:
        """The names that browsers may call the gateway by; none: any."""
        named = [each for each in self.http_hosts.split(",") if each]
        # A site can have its own name lead to this machine, and would then be the gateway's own to a browser.
        return named or ([] if self.has_keys else list(dict.fromkeys([*LOOPBACK_NAMES, *self._own_host])))

    @property
    def _own_host(self) -> Sequence[str]:
        # 127.0.0.2, say: the address that the service prints for a browser has to work.
        host = self.http_address.rpartition(":")[0].lower()
        try:
            return [as_browsers_write(host)] if host else []
        except ValueError:
            return []  # no address at all, as binding it will tell

    @property
    def default_database_url(self) -> str:
        """The SQLite file in the data directory, where log and store live unless their URLs say otherwise."""
        return f"sqlite:///{self.data_dir / 'fabula.db'}"


def load_config() -> Config:
    """Reads the environment. Raises ConfigError with every problem at once."""
    problems = [*_unknown_names(os.environ), *_empty_keys(os.environ)]
    try:
        config = Config()
    except ValidationError as error:
        problems += [_problem(each["loc"], each["msg"]) for each in error.errors(include_input=False)]
    if problems:
        raise ConfigError(problems)
    return config


def _unknown_names(environment: Mapping[str, str]) -> list[str]:
    # A setting that nothing reads must not look as if it were in force: think of a guard model.
    known = {_CLIENT_TOKEN} | {_PREFIX + name.upper() for name in Config.model_fields}
    unknown = sorted(name for name in environment if name.upper().startswith(_PREFIX) and name.upper() not in known)
    return [f"{name} is not a setting of this version; README lists those that are" for name in unknown]


def _empty_keys(environment: Mapping[str, str]) -> list[str]:
    # Elsewhere empty means unset; here it would open the house where a secret was meant to lock it.
    empty = sorted(name for name, value in environment.items() if name.upper().startswith(_KEYS) and not value.strip())
    return [f"{name}: it is empty; give it a value, or leave it out to serve without keys" for name in empty]


def _problem(location: tuple[int | str, ...], message: str) -> str:
    if not location:  # of several settings: the message names them
        return message.removeprefix("Value error, ")
    name = str(location[0])
    variable = name if name.startswith(_PREFIX) else _PREFIX + name.upper()
    if variable == _BASE_URL and not os.environ.get(_BASE_URL):
        variable = _HOST
    return f"{variable}: {message.removeprefix('Value error, ')}"
