"""Numbers as a table for people and as JSON for programs."""

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / "bench-results" / "latest.json"
"""Each part replaces its own numbers there and keeps those of the others, with the time at which each was measured."""

_LIBRARIES = ("grpcio", "protobuf", "langgraph", "langchain-ollama", "ollama", "httpx")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A value of every row: its key in the JSON, its heading with the unit, and the digits after its point."""

    key: str
    heading: str
    digits: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of numbers; `notes` say how they were measured. What a row lacks stays empty in print."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a part measured; `broken` holds a sentence for every promise that was not kept."""

    tables: Sequence[Table]
    broken: Sequence[str] = field(default_factory=list)


def say(text: str) -> None:
    """Tells the person who waits where the measuring is."""
    print(f"  {text}", file=sys.stderr, flush=True)


def print_report(name: str, report: Report, seconds: float) -> None:
    """Prints the tables of a part."""
    for table in report.tables:
        print(f"\n{name}: {table.title}")
        _print_grid([[column.heading for column in table.columns], *(_cells(table, row) for row in table.rows)])
        for note in table.notes:
            print(f"  - {note}")
    print(
        f"  ({name} took {seconds:.0f} s; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)", flush=True
    )


def write_report(name: str, report: Report, seconds: float) -> None:
    """Puts the numbers of a part into the results file."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    parts = results.get("parts", {}) | {
        name: {
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": seconds,
            "load_average": os.getloadavg()[0],
            "tables": [{"title": each.title, "rows": each.rows, "notes": each.notes} for each in report.tables],
            "broken": report.broken,
        }
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": _machine(), "parts": parts}, indent=2, default=str) + "\n", "utf-8")


def _machine() -> Mapping[str, Any]:
    return {
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def _cells(table: Table, row: Row) -> list[str]:
    return [_cell(row.get(column.key), column.digits) for column in table.columns]


def _cell(value: object, digits: int) -> str:
    if value is None:
        return ""
    return f"{value:,.{digits}f}" if isinstance(value, int | float) else str(value)


def _print_grid(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        first, *others = zip(row, widths, strict=True)
        print("  " + "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]))
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))
