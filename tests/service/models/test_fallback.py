"""FABULA_FALLBACK_MODEL: opened like any other model, and refused at the start where it could not stand in."""

import pytest

from service.config import Config
from service.errors import ConfigError
from service.models import open_fallback, open_fallback_reviewer


async def problem(model: str, fallback: str) -> str:
    with pytest.raises(ConfigError) as raised:
        async with open_fallback(Config(model=model, fallback_model=fallback)):
            pass
    (told,) = raised.value.problems
    assert told.startswith("FABULA_FALLBACK_MODEL: ")
    return told


async def test_without_a_name_there_is_none() -> None:
    async with open_fallback(Config()) as model, open_fallback_reviewer(Config()) as reviewer:
        assert (model, reviewer) == (None, None)


@pytest.mark.parametrize("name", ["ollama:llama3.1", " Ollama : llama3.1 ", "ollama:llama3.1:latest"])
async def test_the_model_can_not_stand_in_for_itself(name: str) -> None:
    assert "it is FABULA_MODEL" in await problem("ollama:llama3.1", name)


@pytest.mark.parametrize("name", ["llama3.1", "ollama:", "embedded:poet", "nobody:any", "google_genai:gemini"])
async def test_what_can_not_be_opened_is_told_under_its_own_setting(name: str) -> None:
    await problem("ollama:llama3.1", name)


async def test_the_embedded_storyteller_needs_none() -> None:
    assert "does not fail" in await problem("embedded:storyteller", "ollama:llama3.1")


async def test_it_reviews_what_it_tells_unless_it_is_the_embedded_storyteller() -> None:
    for name, judges in (("ollama:llama3.1:8b", True), ("embedded:storyteller", False)):
        config = Config(model="ollama:llama3.2", fallback_model=name)
        async with open_fallback(config) as model, open_fallback_reviewer(config) as reviewer:
            assert model is not None
            assert model.name == name
            assert (reviewer is not None) == judges
