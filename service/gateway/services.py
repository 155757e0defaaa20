"""The services that have HTTP routes: a new one is one more line."""

from collections.abc import Sequence

from google.protobuf.descriptor import ServiceDescriptor

from fabula.child.v1 import child_service_pb2
from fabula.run.v1 import run_service_pb2
from fabula.story.v1 import story_service_pb2

SERVICES: Sequence[ServiceDescriptor] = (
    story_service_pb2.DESCRIPTOR.services_by_name["StoryService"],
    run_service_pb2.DESCRIPTOR.services_by_name["RunService"],
    child_service_pb2.DESCRIPTOR.services_by_name["ChildService"],
)
