"""The single calls about runs."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from fabula.connection import Connection
from fabula.run.v1 import run_pb2
from fabula.run.v1.run_service_pb2_grpc import RunServiceStub

if TYPE_CHECKING:
    from fabula.run.v1.run_service_pb2_grpc import RunServiceAsyncStub


class RunCalls(Connection):
    """Reads, lists, cancels, pauses and continues runs."""

    async def get_run(self, run_id: str) -> run_pb2.Run:
        """Reads one run; NotFound when there is none."""
        answer = await self._ask(self._runs().GetRun, run_pb2.GetRunRequest(run_id=run_id))
        return answer.run

    async def list_runs(
        self,
        child_id: str = "",
        *,
        state: "run_pb2.RunState.ValueType" = run_pb2.RUN_STATE_UNSPECIFIED,
        page_size: int = 0,
    ) -> AsyncIterator[run_pb2.Run]:
        """The caller's runs, newest first, of one child and in one state if given.

        Pages of `page_size` runs (1 to 200; 0 means 50) are asked for as the loop comes to them.
        """
        request = run_pb2.ListRunsRequest(child_id=child_id, state=state, page_size=page_size)
        async for page in self._pages(self._runs().ListRuns, request):
            for run in page.runs:
                yield run

    async def cancel_run(self, run_id: str) -> run_pb2.Run:
        """Cancels a run and returns it as it ended; a run that had ended is unchanged. NotFound when there is none."""
        answer = await self._ask(self._runs().CancelRun, run_pb2.CancelRunRequest(run_id=run_id))
        return answer.run

    async def pause_run(self, run_id: str) -> run_pb2.Run:
        """Pauses a run and returns it paused; one that was paused stays so.

        RunStateConflict when it has ended, NotFound when there is none.
        """
        answer = await self._ask(self._runs().PauseRun, run_pb2.PauseRunRequest(run_id=run_id))
        return answer.run

    async def continue_run(self, run_id: str) -> run_pb2.Run:
        """Goes on with a paused run and returns it; one that was under way is unchanged.

        RunStateConflict when it has ended, NotFound when there is none.
        """
        answer = await self._ask(self._runs().ContinueRun, run_pb2.ContinueRunRequest(run_id=run_id))
        return answer.run

    def _runs(self) -> "RunServiceAsyncStub":
        return RunServiceStub(self._channel())
