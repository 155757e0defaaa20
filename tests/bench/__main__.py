"""Runs the parts asked for, all of them by default; exit code 1 when a promise was not kept."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence

from tests.bench import cost, crash, frozen, gate, gateway, many, proxy, stops
from tests.bench.report import Report, print_report, say, write_report

PART_SECONDS = 300.0
"""A part that takes longer hangs."""

_BUSY_LOAD = 1.0

PARTS: dict[str, Callable[[], Awaitable[Report]]] = {
    "cost": cost.measure,
    "stops": stops.measure,
    "crash": crash.measure,
    "frozen": frozen.measure,
    "many": many.measure,
    "gate": gate.measure,
    "gateway": gateway.measure,
    "proxy": proxy.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints a table for each part, and writes them to bench-results/latest.json."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measures what the project promises.")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; all of them if absent")
    chosen = parser.parse_args(arguments).parts or list(PARTS)
    if unknown := [name for name in chosen if name not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if os.getloadavg()[0] > _BUSY_LOAD:
        say(
            f"this machine is busy (load average {os.getloadavg()[0]:.1f}): times will be longer than the service's own"
        )
    broken = [f"{name}: {each}" for name in chosen for each in _measure(name)]
    print("\n" + "\n".join(f"BROKEN  {each}" for each in broken) if broken else "\nEvery promise measured was kept.")
    return 1 if broken else 0


def _measure(name: str) -> Sequence[str]:
    began = time.monotonic()
    report = asyncio.run(_bounded(name))
    seconds = round(time.monotonic() - began, 1)
    print_report(name, report, seconds)
    write_report(name, report, seconds)
    return report.broken


async def _bounded(name: str) -> Report:
    async with asyncio.timeout(PART_SECONDS):
        return await PARTS[name]()


if __name__ == "__main__":
    sys.exit(main())
