"""FABULA_MODEL names the model: what it can't name is told in plain words, and only what it names is imported."""

import os
import subprocess
import sys

import pytest

from service.config import Config
from service.errors import ConfigError
from service.models import open_model
from service.runtime.model import Prompt


async def problem(model: str) -> str:
    """What is told of this name, in one line."""
    with pytest.raises(ConfigError) as raised:
        async with open_model(Config(model=model)):
            pass
    (told,) = raised.value.problems
    assert len(told.splitlines()) == 1
    return told


@pytest.mark.parametrize("model", ["llama3.1", "ollama", "ollama:", ":llama3.1", ":", "", "ollama: ", " :x"])
async def test_a_malformed_name_is_answered_with_the_form_and_examples(model: str) -> None:
    told = await problem(model)
    assert told.startswith("FABULA_MODEL: ")
    assert "<provider>:<name>" in told
    assert "embedded:storyteller" in told


async def test_an_unknown_embedded_model_is_answered_with_the_known_one() -> None:
    told = await problem("embedded:poet")
    assert told.startswith("FABULA_MODEL: ")
    assert "embedded:poet" in told
    assert "embedded:storyteller" in told


async def test_an_unknown_provider_is_answered_with_the_known_ones() -> None:
    told = await problem("nobody:any")
    assert told.startswith("FABULA_MODEL: 'nobody:any' can't be opened: ")
    assert "anthropic" in told


@pytest.mark.parametrize("provider", ["google_genai", "google-genai", "Google_GenAI"])
async def test_a_provider_that_is_not_installed_is_answered_with_its_package(provider: str) -> None:
    told = await problem(f"{provider}:gemini")
    assert told.startswith("FABULA_MODEL: ")
    assert "not installed" in told
    assert "langchain-google-genai" in told


async def test_the_embedded_storyteller_opens_and_tells_under_its_own_name() -> None:
    config = Config(model="embedded:storyteller", embedded_tokens_per_second=0, model_seed=1)
    prompt = Prompt("You tell.", '<request>\n{"task": "tell", "theme": "a fox"}\n</request>')
    async with open_model(config) as model:
        chunks = [chunk async for chunk in model.stream(prompt, {"title": "Chapter", "type": "object"})]
    assert model.name == "embedded:storyteller"
    assert len(chunks) > 10
    assert not any(chunk.truncated for chunk in chunks)


@pytest.mark.parametrize("model", ["ollama:llama3.1:8b", "Ollama:llama3.1:8b", " ollama : llama3.1:8b "])
async def test_the_case_of_a_provider_and_the_tag_of_a_name_do_not_matter_to_who_answers(model: str) -> None:
    async with open_model(Config(model=model)) as opened:
        assert opened.name == "ollama:llama3.1:8b"


@pytest.mark.parametrize(
    "environment",
    [{"ALL_PROXY": "socks5://127.0.0.1:9"}, {"HTTP_PROXY": "what://user:SECRET@ever"}, {"OLLAMA_HOST": "models:port"}],
)
def test_an_environment_that_ollamas_library_can_not_bear_is_a_plain_problem(environment: dict[str, str]) -> None:
    script = """
from service.config import Config
from service.errors import ConfigError
from service.models import open_model
try:
    open_model(Config(model="ollama:llama3.1", ollama_base_url="http://127.0.0.1:11434"))
except ConfigError as error:
    print(*error.problems)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("FABULA_MODEL: ")
    assert [name in done.stdout for name in ("OLLAMA_HOST", "HTTP_PROXY", "ALL_PROXY")] == [True, True, True]
    assert "SECRET" not in done.stdout


@pytest.mark.parametrize(
    ("model", "imported", "spared"),
    [
        ("embedded:storyteller", "service.models.embedded", ("langchain_ollama", "httpx", "langchain.chat_models")),
        ("ollama:llama3.1", "langchain_ollama", ("service.models.storyteller", "langchain.chat_models")),
    ],
)
def test_only_the_provider_that_is_asked_for_is_imported(model: str, imported: str, spared: tuple[str, ...]) -> None:
    script = """
import sys
from service.config import Config
from service.models import open_model
open_model(Config(model=sys.argv[1]))
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script, model], capture_output=True, text=True, check=True)
    modules = done.stdout.split()
    assert imported in modules
    assert [name for name in spared if name in modules] == []
