"""Erasing in memory."""

from collections.abc import Sequence
from itertools import islice

from service.backends.memory.tables import Tables, copy_run
from service.runtime.run import END_STATES
from service.runtime.stores import Erasure, RunRecord, Subject


class MemoryErasures(Tables):
    """Implements ErasureStore. An erasure is False in the table while it is unfinished."""

    async def begin_erasure(self, erasure: Erasure) -> bool:
        if self._erasures.get(erasure) is False:
            return True
        if not self._take(erasure):
            return False
        self._erasures[erasure] = False
        return True

    async def unfinished_erasures(self) -> Sequence[Erasure]:
        return [erasure for erasure, finished in self._erasures.items() if not finished]

    async def runs_to_erase(self, erasure: Erasure) -> Sequence[RunRecord]:
        return [copy_run(record) for record in self._runs_of(erasure)]

    async def erase_runs(self, erasure: Erasure) -> None:
        for record in self._runs_of(erasure):
            self._artifacts.pop(record.run.run_id, None)
            self._by_request.pop((record.principal, record.run.request_id), None)
            del self._runs[record.run.run_id]

    async def finish_erasure(self, erasure: Erasure) -> None:
        self._erasures[erasure] = True

    async def expired_series(self, before_ns: int, limit: int) -> Sequence[Erasure]:
        living, series = set[Erasure](), dict[Erasure, None]()
        for record in self._runs.values():
            each = Erasure(record.principal, Subject.SERIES, record.run.story_id)
            series[each] = None
            if record.run.create_time.ToNanoseconds() >= before_ns or record.run.state not in END_STATES:
                living.add(each)
        return list(islice((each for each in series if each.id and each not in living), limit))

    async def scrub(self) -> None:
        """There are no files."""

    def _take(self, erasure: Erasure) -> bool:
        """Whether there is such a child or series; the child's profile is taken out."""
        if erasure.subject is Subject.SERIES:
            return bool(self._runs_of(erasure))
        record = self._children.get(erasure.id)
        if record is None or record.principal != erasure.principal:
            return False
        del self._children[erasure.id]
        return True
