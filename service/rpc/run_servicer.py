"""RunService: looks after runs, whatever their workflow."""

from typing import Any

import grpc.aio

from fabula.run.v1 import run_pb2, run_service_pb2_grpc
from service.errors import NotImplementedYet
from service.rpc.paging import DEFAULT_PAGE_SIZE, decode_token, encode_token
from service.runtime.ports import RunQuery
from service.runtime.runner import Runner
from service.runtime.spec import LOCAL_PRINCIPAL

Context = grpc.aio.ServicerContext[Any, Any]


class RunServicer(run_service_pb2_grpc.RunServiceServicer):
    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def GetRun(self, request: run_pb2.GetRunRequest, context: Context) -> run_pb2.GetRunResponse:
        return run_pb2.GetRunResponse(run=await self._runner.get_run(LOCAL_PRINCIPAL, request.run_id))

    async def ListRuns(self, request: run_pb2.ListRunsRequest, context: Context) -> run_pb2.ListRunsResponse:
        size = request.page_size or DEFAULT_PAGE_SIZE
        filters = (LOCAL_PRINCIPAL, request.child_id, request.state)
        before = decode_token(request.page_token, *filters)
        # One more than asked for tells whether there is a next page.
        query = RunQuery(LOCAL_PRINCIPAL, size + 1, request.child_id, request.state, before)
        runs = await self._runner.list_runs(query)
        token = ""
        if len(runs) > size:
            last = runs[size - 1]
            token = encode_token(last.create_time.ToNanoseconds(), last.run_id, *filters)
        return run_pb2.ListRunsResponse(runs=runs[:size], next_page_token=token)

    async def CancelRun(self, request: run_pb2.CancelRunRequest, context: Context) -> run_pb2.CancelRunResponse:
        return run_pb2.CancelRunResponse(run=await self._runner.cancel_run(LOCAL_PRINCIPAL, request.run_id))

    async def PauseRun(self, request: run_pb2.PauseRunRequest, context: Context) -> run_pb2.PauseRunResponse:
        raise NotImplementedYet("PauseRun is not implemented yet. CancelRun ends a run.")

    async def ContinueRun(self, request: run_pb2.ContinueRunRequest, context: Context) -> run_pb2.ContinueRunResponse:
        raise NotImplementedYet("ContinueRun is not implemented yet.")
