"""What runs made, in memory."""

from collections.abc import Sequence

from service.backends.memory.tables import Tables
from service.errors import RunNotFound
from service.runtime.stores import Artifact, Series, SeriesQuery


class MemoryArtifacts(Tables):
    """Implements ArtifactStore."""

    async def keep(self, artifact: Artifact) -> None:
        if artifact.run_id not in self._runs:
            raise RunNotFound("There is no such run: it was erased.")
        self._artifacts[artifact.run_id] = artifact

    async def artifacts(self, principal: str, series_id: str) -> Sequence[Artifact]:
        made = (artifact for artifact in self._artifacts.values() if artifact.series_id == series_id)
        return sorted((artifact for artifact in made if self._succeeded(artifact, principal)), key=_age)

    async def list_series(self, query: SeriesQuery) -> Sequence[Series]:
        firsts = [each for each in self._artifacts.values() if self._begins_series(each, query)]
        firsts.sort(key=lambda first: (first.create_time_ns, first.series_id), reverse=True)
        return [await self._series(query.principal, first) for first in firsts[: query.limit]]

    def _begins_series(self, artifact: Artifact, query: SeriesQuery) -> bool:
        return (
            artifact.first
            and self._succeeded(artifact, query.principal)
            and query.child_id in ("", self._runs[artifact.run_id].run.child_id)
            and (query.before is None or (artifact.create_time_ns, artifact.series_id) < query.before)
        )

    async def _series(self, principal: str, first: Artifact) -> Series:
        newest = (await self.artifacts(principal, first.series_id))[-1]
        return Series(self._runs[first.run_id].run.child_id, first, newest)


def _age(artifact: Artifact) -> tuple[int, str]:
    return artifact.create_time_ns, artifact.run_id
