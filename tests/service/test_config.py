"""The environment becomes a frozen Config, or every problem at once in plain words."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from service.config import Config, load_config
from service.errors import ConfigError

OURS = ("FABULA_", "OLLAMA_")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith(OURS):
            monkeypatch.delenv(name)


def problems(monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[str]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as raised:
        load_config()
    assert all(len(problem.splitlines()) == 1 for problem in raised.value.problems)
    return list(raised.value.problems)


def test_nothing_needs_to_be_configured() -> None:
    config = load_config()
    assert config.model == "embedded:storyteller"
    assert config.ollama_base_url == "http://127.0.0.1:11434"
    assert config.grpc_address == "127.0.0.1:50051"
    assert config.run_timeout_seconds == 300
    assert config.max_streams == 100
    assert config.linger_seconds > 0
    assert (config.store_url, config.log_url) == ("", "")
    assert config.default_database_url == "sqlite:///.fabula/fabula.db"


def test_every_setting_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FABULA_MODEL", "ollama:llama3.1")
    monkeypatch.setenv("FABULA_MODEL_TEMPERATURE", "0")
    monkeypatch.setenv("FABULA_MODEL_SEED", "4294967295")
    monkeypatch.setenv("FABULA_GRPC_ADDRESS", "[::1]:0")
    monkeypatch.setenv("FABULA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FABULA_LINGER_SECONDS", "0.5")
    config = load_config()
    assert (config.model, config.model_temperature, config.model_seed) == ("ollama:llama3.1", 0, 2**32 - 1)
    assert (config.grpc_address, config.linger_seconds) == ("[::1]:0", 0.5)
    assert config.default_database_url == f"sqlite:///{tmp_path}/fabula.db"


def test_an_empty_variable_is_as_one_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FABULA_MODEL", "FABULA_MODEL_SEED", "FABULA_MAX_RUNS", "FABULA_OLLAMA_BASE_URL"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("OLLAMA_HOST", "models")
    assert load_config() == Config(ollama_base_url="http://models:11434")


def test_a_config_never_changes() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_config().max_runs = 5


def test_every_problem_is_told_at_once_with_its_variable_and_what_was_expected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = problems(
        monkeypatch,
        FABULA_GUARD="on",
        FABULA_MAX_RUNS="0",
        FABULA_MAX_STREAMS="many",
        FABULA_MODEL_REASONING="yes",
        FABULA_GRPC_ADDRESS="50051",
        FABULA_OLLAMA_BASE_URL="ftp://models",
    )
    expected = {
        "FABULA_GUARD": "README",
        "FABULA_MAX_RUNS": "greater than or equal to 1",
        "FABULA_MAX_STREAMS": "valid integer",
        "FABULA_MODEL_REASONING": "'off', 'on', 'low', 'medium' or 'high'",
        "FABULA_GRPC_ADDRESS": "HOST:PORT",
        "FABULA_OLLAMA_BASE_URL": "http://127.0.0.1:11434",
    }
    assert len(told) == len(expected)
    for variable, words in expected.items():
        assert [words in line for line in told if line.startswith((f"{variable}: ", f"{variable} is not"))] == [True]


@pytest.mark.parametrize("name", ["FABULA_", "FABULA_MODELS", "FABULA_GUARD_MODEL_URL", "fabula_modle"])
def test_a_setting_that_nothing_reads_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert problems(monkeypatch, **{name: "x"}) == [
        f"{name} is not a setting of this version; README lists those that are"
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *[("FABULA_MAX_STREAMS", value) for value in ("0", "-1", "1000001", "1.5", "1e3", "9" * 5000)],
        *[("FABULA_LINGER_SECONDS", value) for value in ("-1", "86401", "nan", "inf", "-inf", "1s")],
        *[("FABULA_RUN_TIMEOUT_SECONDS", value) for value in ("0", "-0.001", "1e9")],
        *[("FABULA_MODEL_IDLE_SECONDS", value) for value in ("0", "-5")],
        *[("FABULA_MODEL_TEMPERATURE", value) for value in ("-0.1", "2.1", "warm")],
        *[("FABULA_MODEL_MAX_TOKENS", value) for value in ("0", "-2")],
        *[("FABULA_MODEL_SEED", value) for value in ("-1", "4294967296", "1" * 40, "x")],
        *[("FABULA_MODEL_CONNECTIONS", value) for value in ("-1", "1000001")],
        *[("FABULA_COMMIT_INTERVAL_SECONDS", value) for value in ("-1", "1.5")],
        *[("FABULA_OLLAMA_KEEP_ALIVE", value) for value in ("5 minutes", "soon", "1.5", "m", "-", "5m!")],
        *[("FABULA_LOG_LEVEL", value) for value in ("loud", "0")],
    ],
)
def test_a_value_beyond_its_bounds_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    (told,) = problems(monkeypatch, **{variable: value})
    assert told.startswith(f"{variable}: ")


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("300", "300s"),
        ("-1", "-1s"),
        ("0", "0s"),
        ("5m", "5m"),
        ("1h30m", "1h30m"),
        ("1.5h", "1.5h"),
        ("250ms", "250ms"),
    ],
)
def test_keep_alive_takes_seconds_and_what_ollama_takes(value: str, sent: str) -> None:
    assert Config(ollama_keep_alive=value).ollama_keep_alive == sent


@pytest.mark.parametrize(
    "value", ["127.0.0.1", "127.0.0.1:", ":50051", "127.0.0.1:65536", "::1:50051", "a b:1", "http://a:1", "a:1 ", "a:٣"]
)
def test_a_malformed_address_is_answered_with_an_example(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    (told,) = problems(monkeypatch, FABULA_GRPC_ADDRESS=value)
    assert told == "FABULA_GRPC_ADDRESS: expected HOST:PORT, for example 127.0.0.1:50051 (port 0 takes a free one)"


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("127.0.0.1:8000", []),
        ("localhost:8000", []),
        ("[0:0:0:0:0:0:0:1]:8000", []),
        ("[1:2]:8000", []),
        ("off", []),
        ("127.0.0.2:8000", ["127.0.0.2"]),
        ("Stories.example:8000", ["stories.example"]),
        ("[FE80::0:1]:8000", ["[fe80::1]"]),
    ],
)
def test_without_keys_browsers_may_call_the_gateway_by_this_machines_names_and_its_own(
    address: str, own: list[str]
) -> None:
    assert Config(http_address=address).allowed_hosts == ["localhost", "127.0.0.1", "[::1]", *own]


def test_hosts_are_kept_as_browsers_write_them() -> None:
    config = Config(http_hosts="Stories.example, [0:0:0:0:0:0:0:1],[2001:DB8:0::1]")
    assert config.allowed_hosts == ["stories.example", "[::1]", "[2001:db8::1]"]


@pytest.mark.parametrize("value", ["a:1", "http://a", "[1:2]", "[::1]:80", "a b"])
def test_what_is_no_host_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    (told,) = problems(monkeypatch, FABULA_HTTP_HOSTS=value)
    assert told.startswith("FABULA_HTTP_HOSTS: expected ")


@pytest.mark.parametrize(
    ("host", "base_url"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("models", "http://models:11434"),
        ("models:8080", "http://models:8080"),
        (" models:8080\n", "http://models:8080"),
        (":8080", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:11434"),  # noqa: S104 -- as a server binds
        ("0.0.0.0:11434", "http://127.0.0.1:11434"),
        ("http://models", "http://models:80"),
        ("HTTPS://Models.Example", "https://models.example:443"),
        ("https://models.example:8443", "https://models.example:8443"),
        ("models/ollama/", "http://models:11434/ollama"),
        ("https://models.example/ollama/", "https://models.example:443/ollama"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("::1", "http://[::1]:11434"),
        ("::", "http://[::1]:11434"),
        ("[::]:11434", "http://[::1]:11434"),
        ("http://reader:pass@models:8080", "http://reader:pass@models:8080"),
    ],
)
def test_ollamas_own_forms_of_a_host_become_a_url(monkeypatch: pytest.MonkeyPatch, host: str, base_url: str) -> None:
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert load_config().ollama_base_url == base_url
    monkeypatch.setenv("OLLAMA_HOST", base_url)
    assert load_config().ollama_base_url == base_url


def test_a_config_made_in_code_does_not_quote_what_it_refuses_either() -> None:
    with pytest.raises(ValidationError) as raised:
        Config(ollama_base_url="http://reader:SECRET@models:port")
    assert "SECRET" not in str(raised.value)


def test_our_variable_wins_over_ollamas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "theirs: neither used nor judged")
    monkeypatch.setenv("FABULA_OLLAMA_BASE_URL", "http://ours:1")
    assert load_config().ollama_base_url == "http://ours:1"


@pytest.mark.parametrize("variable", ["OLLAMA_HOST", "FABULA_OLLAMA_BASE_URL"])
@pytest.mark.parametrize(
    "value",
    [
        *["http://", "models:port", "models:65536", "models:0", "ftp://models", "http://[::1", "http://my models"],
        *["http://models?key=SECRET", "http://models#SECRET", "http://reader:SECRET@", "reader:SECRET/x@models"],
        *["http://reader:SECRET#x@models", "http://reader:SECRET@models:port", "SECRET://models"],
    ],
)
def test_a_base_url_that_is_none_is_refused_by_the_variable_that_holds_it_and_never_quoted(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    assert problems(monkeypatch, **{variable: value}) == [
        f"{variable}: expected a URL, for example http://127.0.0.1:11434"
    ]


@given(st.text(st.characters(codec="utf-8")) | st.from_regex(r"(https?://)?[\w.:@\[\]]*(:\d+)?(/\w*)?", fullmatch=True))
@example("http://ℂ.example")
@example("http://a\uff0fb")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_is_a_base_url_that_stays_as_it_is_or_is_refused(text: str) -> None:
    try:
        base_url = Config(ollama_base_url=text).ollama_base_url
    except ValidationError:
        return
    assert Config(ollama_base_url=base_url).ollama_base_url == base_url


def refused(tmp_path: Path, **environment: str) -> list[str]:
    """What `python -m service` tells when it does not start."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(OURS)}
    ours = {"FABULA_DATA_DIR": str(tmp_path), "FABULA_GRPC_ADDRESS": "127.0.0.1:0"}
    done = subprocess.run(
        [sys.executable, "-m", "service"],
        env=inherited | ours | environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()


def test_the_service_tells_each_problem_in_a_line_and_does_not_start(tmp_path: Path) -> None:
    first, second = refused(tmp_path, FABULA_MAX_RUNS="0", FABULA_GUARD="on")
    assert first == "fabula: FABULA_GUARD is not a setting of this version; README lists those that are"
    assert second.startswith("fabula: FABULA_MAX_RUNS: ")


@pytest.mark.parametrize("model", ["llama3.1", "nobody:any", "google_genai:gemini", "embedded:poet"])
def test_the_service_tells_of_a_model_that_can_not_be_opened_in_a_line(tmp_path: Path, model: str) -> None:
    (told,) = refused(tmp_path, FABULA_MODEL=model)
    assert told.startswith("fabula: FABULA_MODEL: ")


def test_the_service_tells_of_a_port_that_is_taken_in_a_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        # Without its verbosity gRPC's core tells of it, too, in a line of its own.
        (told,) = refused(tmp_path, FABULA_GRPC_ADDRESS=address, GRPC_VERBOSITY="NONE")
    assert told.startswith(f"fabula: FABULA_GRPC_ADDRESS: {address} can't be bound")


def test_the_service_tells_of_a_damaged_database_in_a_line_and_leaves_it_as_it_is(tmp_path: Path) -> None:
    database = tmp_path / "fabula.db"
    database.write_bytes(b"not a database " * 1000)
    (told,) = refused(tmp_path)
    assert told.startswith(f"fabula: {database} ")
    assert database.read_bytes() == b"not a database " * 1000
