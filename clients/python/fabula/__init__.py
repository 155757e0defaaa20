"""The client of Fabula: stories told while they are being written, over streams that resume by themselves."""

from fabula.client import FabulaClient
from fabula.errors import (
    Closed,
    ContentRejected,
    CursorOutOfRange,
    DeadlineExceeded,
    FabulaError,
    InvalidRequest,
    ModelFailed,
    NotFound,
    NotImplementedYet,
    Overloaded,
    PermissionDenied,
    ProtocolError,
    RequestIdReused,
    RunCancelled,
    RunDeadlineExceeded,
    RunFailed,
    RunInterrupted,
    RunStateConflict,
    ServiceFault,
    Unauthenticated,
    Unavailable,
)
from fabula.request import StoryOptions
from fabula.retry import RetryPolicy
from fabula.run.v1.run_pb2 import ErrorReason, OnDisconnect, Release, Run, RunState
from fabula.story.v1.story_pb2 import Complete, CreateStoryResponse, GenerateStoryRequest, StoryEvent
from fabula.stream import StoryStream
from fabula.text import StandingText

__all__ = [
    "Closed",
    "Complete",
    "ContentRejected",
    "CreateStoryResponse",
    "CursorOutOfRange",
    "DeadlineExceeded",
    "ErrorReason",
    "FabulaClient",
    "FabulaError",
    "GenerateStoryRequest",
    "InvalidRequest",
    "ModelFailed",
    "NotFound",
    "NotImplementedYet",
    "OnDisconnect",
    "Overloaded",
    "PermissionDenied",
    "ProtocolError",
    "Release",
    "RequestIdReused",
    "RetryPolicy",
    "Run",
    "RunCancelled",
    "RunDeadlineExceeded",
    "RunFailed",
    "RunInterrupted",
    "RunState",
    "RunStateConflict",
    "ServiceFault",
    "StandingText",
    "StoryEvent",
    "StoryOptions",
    "StoryStream",
    "Unauthenticated",
    "Unavailable",
]
