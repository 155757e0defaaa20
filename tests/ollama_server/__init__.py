"""An Ollama server of our own, faithful on the wire, so that tests and benchmarks run the real client libraries.

async with OllamaServer() as server:
    server.reply_with(Reply(content="Once upon a time."))
    ...  # point the real client at server.base_url
"""

from tests.ollama_server.models import DEFAULT_MODELS, ModelCard
from tests.ollama_server.reply import Reply
from tests.ollama_server.request import ChatRequest
from tests.ollama_server.server import OllamaServer
from tests.ollama_server.synthesis import synthesise
from tests.ollama_server.texts import STORY

__all__ = ["DEFAULT_MODELS", "STORY", "ChatRequest", "ModelCard", "OllamaServer", "Reply", "synthesise"]
