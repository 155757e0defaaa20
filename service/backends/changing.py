"""How a stored profile is changed: what every store does between reading and writing it."""

from collections.abc import Callable

from fabula.child.v1 import child_pb2


def changed(stored: child_pb2.Child, change: Callable[[child_pb2.Child], None]) -> child_pb2.Child:
    """A copy of the profile, changed; it keeps its child_id and create_time. Raises what `change` raises."""
    child = child_pb2.Child()
    child.CopyFrom(stored)
    change(child)
    child.child_id = stored.child_id
    child.ClearField("create_time")
    if stored.HasField("create_time"):
        child.create_time.CopyFrom(stored.create_time)
    return child
