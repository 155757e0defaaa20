"""What the release gate itself takes: gates alone, fed with a model's tokens as the service feeds them."""

import itertools
import json
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import structlog

from fabula.run.v1 import run_pb2
from service.safety.gate import ReleaseGate, open_gate
from service.safety.screen import Screen
from service.workflows.story import narrator
from service.workflows.story.decoding import DraftDecoder
from tests.bench.chapters import TOKEN_CHARACTERS
from tests.harness import serving

NOTHING_TO_FIND = Screen({})
"""Under it a gate lets a unit go as soon as it is known to be whole."""


@dataclass(frozen=True, slots=True)
class Fed:
    """Seconds that each feed took: of all, and of those that let something go."""

    every: Sequence[float]
    releasing: Sequence[float]


@dataclass(frozen=True, slots=True)
class Way:
    """The way of one text through a gate, as characters of it: how many were in, and how many were out, by token."""

    heard: Sequence[int]
    out: Sequence[int]
    ends: Sequence[int]
    """Where the units ended that were let go before the text's end."""

    def token_of(self, end: int) -> int:
        """The token with which so many characters were in."""
        return bisect_left(self.heard, end)

    def token_that_let_go(self, end: int) -> int:
        """The token with which so many characters were out."""
        return bisect_left(self.out, end)


async def screen_of_the_service() -> Screen:
    """The screen that the service opens its gates with for the child that every fresh store holds."""
    # The service runs in this process for once: its log would stand between the tables.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    taken: list[Screen] = []

    def take(screen: Screen, release: "run_pb2.Release.ValueType") -> ReleaseGate:
        taken.append(screen)
        return open_gate(screen, release)

    with patch.object(narrator, "open_gate", take):
        async with serving() as served:
            await served.client.tell("a fox").result()
    return taken[0]


def texts_of_tokens(answer: Mapping[str, Any]) -> Sequence[str]:
    """What each token of an answer adds to the story's text; nothing before it and after it."""
    raw, decoder = json.dumps(answer, ensure_ascii=False), DraftDecoder()
    return [decoder.feed(raw[at : at + TOKEN_CHARACTERS]) for at in range(0, len(raw), TOKEN_CHARACTERS)]


def feed_interleaved(screen: Screen, release: "run_pb2.Release.ValueType", tokens: Sequence[str], streams: int) -> Fed:
    """Feeds so many gates by turns, a token each; each is one token behind the one before."""
    gates = [open_gate(screen, release) for _ in range(streams)]
    every: list[float] = []
    releasing: list[float] = []
    for turn, (behind, gate) in itertools.product(range(len(tokens) + streams), enumerate(gates)):
        text = tokens[turn - behind] if 0 <= turn - behind < len(tokens) else ""
        if not text:
            continue
        began = time.perf_counter()
        released = gate.feed(text)
        took = time.perf_counter() - began
        every.append(took)
        if released:
            releasing.append(took)
    return Fed(every, releasing)


def way_through(screen: Screen, release: "run_pb2.Release.ValueType", tokens: Sequence[str]) -> Way:
    """Follows one text."""
    gate, ends = open_gate(screen, release), [0]
    out: list[int] = []
    for text in tokens:
        for each in gate.feed(text) if text else ():
            ends.append(ends[-1] + len(each.text))
        out.append(ends[-1])
    return Way(list(itertools.accumulate(map(len, tokens))), out, ends[1:])
