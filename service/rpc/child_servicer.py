"""ChildService: looks after the profiles of children."""

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import grpc.aio

from fabula.child.v1 import child_pb2, child_service_pb2_grpc
from service.errors import ChildNotFound
from service.rpc.profiles import ProfileUpdate, to_profile
from service.runtime.caller import current_principal
from service.runtime.eraser import Eraser
from service.runtime.paging import DEFAULT_PAGE_SIZE, cut_page, decode_token
from service.runtime.run import timestamp
from service.runtime.stores import ChildQuery, ChildRecord, Store

Context = grpc.aio.ServicerContext[Any, Any]

ProfileCheck = Callable[[child_pb2.Child, Mapping[str, str]], None]
"""Looks at a profile as it would be stored, and at the fields that the request gave, each with its path in the request;
may be called in any thread. Raises InputUnfit for a text that is not fit for the child's age."""


class ChildServicer(child_service_pb2_grpc.ChildServiceServicer):
    def __init__(self, store: Store, eraser: Eraser, check: ProfileCheck) -> None:
        self._store = store
        self._eraser = eraser
        self._check = check

    async def CreateChild(
        self, request: child_pb2.CreateChildRequest, context: Context
    ) -> child_pb2.CreateChildResponse:
        child = to_profile(request)
        self._check(child, {field.name: field.name for field, _ in request.ListFields()})
        now = timestamp(time.time_ns())
        child.child_id = uuid.uuid4().hex
        child.create_time.CopyFrom(now)
        child.update_time.CopyFrom(now)
        await self._store.create_child(ChildRecord(child, current_principal()))
        return child_pb2.CreateChildResponse(child=child)

    async def GetChild(self, request: child_pb2.GetChildRequest, context: Context) -> child_pb2.GetChildResponse:
        child = await self._store.get_child(current_principal(), request.child_id)
        return child_pb2.GetChildResponse(child=_found(child))

    async def ListChildren(
        self, request: child_pb2.ListChildrenRequest, context: Context
    ) -> child_pb2.ListChildrenResponse:
        size = request.page_size or DEFAULT_PAGE_SIZE
        # The name tells its tokens from those of other lists.
        filters = ("children", current_principal())
        before = decode_token(request.page_token, *filters)
        children = await self._store.list_children(ChildQuery(current_principal(), size + 1, before))
        page, token = cut_page(children, size, _position, *filters)
        return child_pb2.ListChildrenResponse(children=page, next_page_token=token)

    async def UpdateChild(
        self, request: child_pb2.UpdateChildRequest, context: Context
    ) -> child_pb2.UpdateChildResponse:
        update = ProfileUpdate(request)

        def change(child: child_pb2.Child) -> None:
            update.apply(child)
            self._check(child, update.given)
            child.update_time.CopyFrom(timestamp(time.time_ns()))

        child = await self._store.update_child(current_principal(), request.child_id, change)
        return child_pb2.UpdateChildResponse(child=_found(child))

    async def DeleteChild(
        self, request: child_pb2.DeleteChildRequest, context: Context
    ) -> child_pb2.DeleteChildResponse:
        await self._eraser.erase_child(current_principal(), request.child_id)
        return child_pb2.DeleteChildResponse()


def _found(child: child_pb2.Child | None) -> child_pb2.Child:
    if child is None:
        raise ChildNotFound("There is no such child. ListChildren names those that there are.")
    return child


def _position(child: child_pb2.Child) -> tuple[int, str]:
    return child.create_time.ToNanoseconds(), child.child_id
