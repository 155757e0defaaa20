"""A process that appends to several runs and prints every event that was acknowledged, until it is killed.

python -m tests.service.backends.appender <database> <run> ...
"""

import asyncio
import sys
from pathlib import Path

from service.backends.source import Options
from service.backends.sqlite.database import open_database
from service.backends.sqlite.log import SqliteEventLog
from service.runtime.ports import Batch, EventLog
from tests.service.backends.samples import payload


async def _append_for_ever(log: EventLog, run_id: str) -> None:
    after = (await log.tails([run_id]))[run_id].last
    while True:
        await log.append(run_id, Batch(after, [payload(run_id, after + 1), payload(run_id, after + 2)]))
        after += 2
        print(run_id, after, flush=True)


async def _main(database: Path, run_ids: list[str]) -> None:
    async with open_database(database, Options(commit_interval_seconds=0.001)) as opened, asyncio.TaskGroup() as group:
        log = SqliteEventLog(opened)
        for run_id in run_ids:
            group.create_task(_append_for_ever(log, run_id))


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), sys.argv[2:]))
