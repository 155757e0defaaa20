"""What the parts of the store in memory share."""

from collections.abc import Sequence

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from service.runtime.run import SUCCEEDED
from service.runtime.stores import Artifact, ChildRecord, Erasure, RunRecord, Subject


class Tables:
    """The rows. No method of a part suspends between looking and writing: that makes each atomic."""

    def __init__(self, fresh_children: Sequence[ChildRecord] = ()) -> None:
        self._runs: dict[str, RunRecord] = {}
        self._by_request: dict[tuple[str, str], str] = {}
        self._children = {record.child.child_id: copy_child(record) for record in fresh_children}
        self._artifacts: dict[str, Artifact] = {}
        self._erasures: dict[Erasure, bool] = {}

    def _runs_of(self, erasure: Erasure) -> list[RunRecord]:
        """The runs that this erasure takes."""
        return [record for record in self._runs.values() if erasure == _erasure_of(record, erasure.subject)]

    def _succeeded(self, artifact: Artifact, principal: str) -> bool:
        record = self._runs[artifact.run_id]
        return record.principal == principal and record.run.state == SUCCEEDED


def _erasure_of(record: RunRecord, subject: Subject) -> Erasure:
    return Erasure(record.principal, subject, record.run.child_id if subject is Subject.CHILD else record.run.story_id)


def copy_run(record: RunRecord) -> RunRecord:
    run = run_pb2.Run()
    run.CopyFrom(record.run)
    return RunRecord(run, record.principal, record.fingerprint)


def copy_child(record: ChildRecord) -> ChildRecord:
    child = child_pb2.Child()
    child.CopyFrom(record.child)
    return ChildRecord(child, record.principal)
