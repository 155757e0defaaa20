"""What is erased stays erased: no run may be stored for it any more."""

from collections.abc import Sequence

from service.errors import ChildNotFound, FabulaError, StoryNotFound
from service.runtime.stores import Erasure, RunRecord, Subject


def refusals(record: RunRecord) -> Sequence[tuple[Erasure, FabulaError]]:
    """The erasures under which this run must not be stored, each with what its caller is told."""
    child = Erasure(record.principal, Subject.CHILD, record.run.child_id)
    series = Erasure(record.principal, Subject.SERIES, record.run.story_id)
    return [
        (child, ChildNotFound("There is no such child any more: it was erased.")),
        (series, StoryNotFound("There is no such story any more: it was erased.")),
    ]
