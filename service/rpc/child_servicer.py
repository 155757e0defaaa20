"""ChildService: in the contract, not implemented yet."""

from typing import Any

import grpc.aio

from fabula.child.v1 import child_pb2, child_service_pb2_grpc
from service.errors import NotImplementedYet

Context = grpc.aio.ServicerContext[Any, Any]

_MESSAGE = 'Profiles of children are not implemented yet. Every install has the child "1".'


class ChildServicer(child_service_pb2_grpc.ChildServiceServicer):
    async def CreateChild(
        self, request: child_pb2.CreateChildRequest, context: Context
    ) -> child_pb2.CreateChildResponse:
        raise NotImplementedYet(_MESSAGE)

    async def GetChild(self, request: child_pb2.GetChildRequest, context: Context) -> child_pb2.GetChildResponse:
        raise NotImplementedYet(_MESSAGE)

    async def ListChildren(
        self, request: child_pb2.ListChildrenRequest, context: Context
    ) -> child_pb2.ListChildrenResponse:
        raise NotImplementedYet(_MESSAGE)

    async def UpdateChild(
        self, request: child_pb2.UpdateChildRequest, context: Context
    ) -> child_pb2.UpdateChildResponse:
        raise NotImplementedYet(_MESSAGE)

    async def DeleteChild(
        self, request: child_pb2.DeleteChildRequest, context: Context
    ) -> child_pb2.DeleteChildResponse:
        raise NotImplementedYet(_MESSAGE)
