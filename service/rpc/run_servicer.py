"""RunService: looks after runs, whatever their workflow."""

from typing import Any

import grpc.aio

from fabula.run.v1 import run_pb2, run_service_pb2_grpc
from service.runtime.caller import current_principal
from service.runtime.paging import DEFAULT_PAGE_SIZE, cut_page, decode_token
from service.runtime.runner import Runner
from service.runtime.stores import RunQuery

Context = grpc.aio.ServicerContext[Any, Any]


class RunServicer(run_service_pb2_grpc.RunServiceServicer):
    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def GetRun(self, request: run_pb2.GetRunRequest, context: Context) -> run_pb2.GetRunResponse:
        return run_pb2.GetRunResponse(run=await self._runner.get_run(current_principal(), request.run_id))

    async def ListRuns(self, request: run_pb2.ListRunsRequest, context: Context) -> run_pb2.ListRunsResponse:
        size = request.page_size or DEFAULT_PAGE_SIZE
        filters = (current_principal(), request.child_id, request.state)
        before = decode_token(request.page_token, *filters)
        runs = await self._runner.list_runs(
            RunQuery(current_principal(), size + 1, request.child_id, request.state, before)
        )
        page, token = cut_page(runs, size, _position, *filters)
        return run_pb2.ListRunsResponse(runs=page, next_page_token=token)

    async def CancelRun(self, request: run_pb2.CancelRunRequest, context: Context) -> run_pb2.CancelRunResponse:
        return run_pb2.CancelRunResponse(run=await self._runner.cancel_run(current_principal(), request.run_id))

    async def PauseRun(self, request: run_pb2.PauseRunRequest, context: Context) -> run_pb2.PauseRunResponse:
        return run_pb2.PauseRunResponse(run=await self._runner.pause_run(current_principal(), request.run_id))

    async def ContinueRun(self, request: run_pb2.ContinueRunRequest, context: Context) -> run_pb2.ContinueRunResponse:
        return run_pb2.ContinueRunResponse(run=await self._runner.continue_run(current_principal(), request.run_id))


def _position(run: run_pb2.Run) -> tuple[int, str]:
    return run.create_time.ToNanoseconds(), run.run_id
