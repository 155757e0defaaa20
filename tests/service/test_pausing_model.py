"""Starts, watchers, pauses, continuations, cancels and the model's words in any order, against what may come of it."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from fabula import RunCancelled, RunStateConflict
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from service.runtime.run import CANCELLED, END_STATES, PAUSED, RUNNING
from tests.harness import WITHIN, Served, outcome, serving, standing
from tests.ollama_server import ChatRequest, OllamaServer, Reply
from tests.stories import APPROVAL, TEXT, chapter, is_review

_T = TypeVar("_T")
Told = tuple[list[story_pb2.StoryEvent], Exception | None]


class World:
    """One service and one model server for all examples, in an event loop that turns while it is asked to do things."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._served, self.ollama = self.do(self._open())
        self.client = self._served.client

    def do(self, work: Coroutine[Any, Any, _T]) -> _T:
        async def within() -> _T:
            async with asyncio.timeout(WITHIN):
                return await work

        return self._runner.run(within())

    def close(self) -> None:
        self.do(self._stack.aclose())
        self._runner.close()

    async def _open(self) -> tuple[Served, OllamaServer]:
        ollama = await self._stack.enter_async_context(OllamaServer())
        model = {"model": "ollama:llama3.2", "ollama_base_url": ollama.base_url}
        return await self._stack.enter_async_context(serving(**model)), ollama


class Pausing(RuleBasedStateMachine):
    """One run. `paused` is the run as it was paused, while it must not change; `over` says that it has ended."""

    world: World

    @initialize(silent_after=st.sampled_from([None, 0, 1, 20, 60, 10_000]), review_silent=st.booleans())
    def start(self, silent_after: int | None, review_silent: bool) -> None:
        self.paused: run_pb2.Run | None = None
        self.over = False
        self.watchers: list[tuple[int, asyncio.Task[Told]]] = []
        self.world.do(self._start(silent_after, review_silent))

    async def _start(self, silent_after: int | None, review_silent: bool) -> None:
        def judge(_: ChatRequest) -> Reply:
            return Reply(content=APPROVAL, stall_after=1 if review_silent else None)

        self.world.ollama.answer(is_review, judge)
        reply = Reply(content=chapter(), stall_before_headers=silent_after is None, stall_after=silent_after)
        self.world.ollama.reply_by_default(reply)
        self.watchers.append((0, asyncio.create_task(outcome(self.world.client.tell("night")))))
        await self.world.ollama.wait_stalled(1)
        self.run_id = (await anext(self.world.client.list_runs())).run_id

    @rule()
    def model_speaks(self) -> None:
        self.world.ollama.release()

    @rule(after=st.integers(0, 30))
    def watch(self, after: int) -> None:
        self.world.do(self._watch(after))

    async def _watch(self, after: int) -> None:
        after = min(after, (await self.world.client.get_run(self.run_id)).last_sequence)
        self.watchers.append((after, asyncio.create_task(outcome(self.world.client.watch(self.run_id, after)))))

    @rule()
    def pause(self) -> None:
        answer = self.world.do(self._ask("pause_run"))
        if isinstance(answer, RunStateConflict):
            self._ended_by_itself()
        else:
            assert answer.state == PAUSED
            assert not self.over
            assert self.paused in (None, answer)
            self.paused = answer

    @rule()
    def go_on(self) -> None:
        answer = self.world.do(self._ask("continue_run"))
        if isinstance(answer, RunStateConflict):
            self._ended_by_itself()
        else:
            assert answer.state == RUNNING
            assert not self.over
        self.paused = None

    @rule()
    def cancel(self) -> None:
        answer = self.world.do(self._ask("cancel_run"))
        assert isinstance(answer, run_pb2.Run)
        assert answer.state == CANCELLED if self.paused else answer.state in END_STATES
        self.paused, self.over = None, True

    @rule(calls=st.lists(st.sampled_from(["pause_run", "continue_run", "cancel_run"]), min_size=2, max_size=4))
    def at_once(self, calls: list[str]) -> None:
        self.world.do(self._at_once(calls))

    async def _at_once(self, calls: list[str]) -> None:
        await asyncio.gather(*map(self._ask, calls))
        run = await self.world.client.get_run(self.run_id)
        assert (
            run.state in END_STATES
            if self.over or "cancel_run" in calls
            else run.state in {*END_STATES, RUNNING, PAUSED}
        )
        self.paused = run if run.state == PAUSED else None
        self.over = run.state in END_STATES

    @invariant()
    def stands_still_while_it_is_paused(self) -> None:
        if getattr(self, "paused", None) is not None:
            assert self.world.do(self.world.client.get_run(self.run_id)) == self.paused

    def teardown(self) -> None:
        if hasattr(self, "run_id"):
            self.world.do(self._finish())

    async def _finish(self) -> None:
        await self._ask("continue_run")
        _, listening = self.watchers[0]
        while not listening.done():
            stalled = asyncio.create_task(self.world.ollama.wait_stalled(1))
            await asyncio.wait({stalled, listening}, return_when=asyncio.FIRST_COMPLETED)
            stalled.cancel()
            self.world.ollama.release()
        await self.world.ollama.wait_for_chats(0)
        self._check(*await listening, await self.world.client.get_run(self.run_id))
        for after, watching in self.watchers:
            assert (await watching)[0] == listening.result()[0][after:]

    def _check(self, events: list[story_pb2.StoryEvent], error: Exception | None, run: run_pb2.Run) -> None:
        assert [event.sequence for event in events] == list(range(1, run.last_sequence + 1))
        ends = [event.HasField("complete") or event.HasField("error") for event in events]
        assert ends == [False] * (len(events) - 1) + [True]
        if error is None:
            assert run.state == run_pb2.RUN_STATE_SUCCEEDED
            assert events[-1].complete.story_content == standing(events) == TEXT
        else:
            assert isinstance(error, RunCancelled)
            assert run.state == CANCELLED
            assert TEXT.startswith(standing(events))

    def _ended_by_itself(self) -> None:
        assert self.paused is None, "a paused run has ended, and nobody had ended it"
        self.over = True

    async def _ask(self, call: str) -> run_pb2.Run | RunStateConflict:
        try:
            answer: run_pb2.Run = await getattr(self.world.client, call)(self.run_id)
        except RunStateConflict as conflict:
            return conflict
        return answer


def test_whatever_is_asked_of_a_run_in_whatever_order_it_has_one_end_and_its_text() -> None:
    world = World()
    try:
        run_state_machine_as_test(
            type("PausingHere", (Pausing,), {"world": world}),
            settings=settings(
                max_examples=20,
                stateful_step_count=10,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        world.close()
