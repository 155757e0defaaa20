"""Chapters as a model answers them."""

from typing import Any

from tests.ollama_server import ChatRequest, OllamaServer, Reply

TEXT = (
    "Once there was a small fox called Ember. She lived under the old oak — the one with a door!\n\n"
    '"Who turns off the light at night?" she asked. Mr. Owl blinked... and smiled. "Nobody does, little one."\n\n'
    "So they climbed the hill together 🦊. There hung the stars, one and all. Ember was not afraid any more."
)

UNFIT_PHRASE = "stabbed"

UNFIT = TEXT.replace("Mr. Owl blinked", f"Mr. Owl {UNFIT_PHRASE} the log")


def chapter(text: str = TEXT, **changes: Any) -> dict[str, Any]:
    """The answer of the structured prompt."""
    return {
        "story_content": text,
        "title": "Ember and the Night",
        "choice_question": "What does Ember do next?",
        "choices": ["She sings to the moon", "She visits the badger"],
        "educational_elements": ["Courage", "Night and day"],
    } | changes


APPROVAL = {"approved": True, "score": 1.0, "issues": []}
"""The answer of a reviewer who has nothing to mend."""


def is_review(request: ChatRequest) -> bool:
    """Whether a model is asked for a judgement, and not for a story."""
    return isinstance(request.format, dict) and request.format.get("title") == "Review"


def told(server: OllamaServer) -> list[ChatRequest]:
    """The requests for a story that a server has had, without those for a review of one."""
    return [request for request in server.requests if not is_review(request)]


def approve(_: ChatRequest) -> Reply:
    """A reviewer who approves."""
    return Reply(content=APPROVAL, chunk_chars=1_000)
