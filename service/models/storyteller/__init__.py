"""The embedded storyteller: a chat model that composes gentle stories without any model server."""

from service.models.storyteller.model import EmbeddedStoryteller

__all__ = ["EmbeddedStoryteller"]
