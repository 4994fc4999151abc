"""The table of a game day, in docs/drills.md: a row for each drill and alert, with seconds since the fault."""

import platform
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ops.drills.timeline import CHANNELS
from ops.shell import ROOT

if TYPE_CHECKING:
    from ops.drills.play import Played

PATH = ROOT / "docs" / "drills.md"

HEAD = ("drill", "alert", "pending", "firing", *CHANNELS, "undone", "told it is over", "silenced", "date, machine")
_INTRO = """# Drills

What `make drill` measured at full length: seconds from the fault until each step, and from its end until the last
channel had told so. `make drill FAULT=name`, a list of names or `all` writes rows; a drill that is played again
replaces its own. `make drill` alone lists what each one breaks, and why some alerts have none, or none that is heard.

"""


def rows(one: "Played") -> list[list[str]]:
    """Give a row for each alert that people should have heard of."""
    timeline = one.timeline

    def since(alert: str, what: str, start: float | None) -> str:
        at = timeline.at(alert, what)
        return "–" if at is None or start is None else f"{at - start:.0f}"

    # the slowest channel's
    def over(alert: str) -> str:
        ends = [at for channel in timeline.channels if (at := timeline.at(alert, f"{channel} over"))]
        return f"{max(ends) - one.undone:.0f}" if ends and one.undone else "–"

    silenced = [alert for alert in one.drill.silences if timeline.at(alert, "silenced")]
    where = f"{time.strftime('%Y-%m-%d')}, {platform.machine()}"
    return [
        [
            *(one.drill.name, alert, since(alert, "pending", one.injected), since(alert, "firing", one.injected)),
            *(since(alert, channel, one.injected) for channel in CHANNELS),
            f"{one.undone - one.injected:.0f}" if one.undone else "–",
            *(over(alert), ", ".join(silenced) or "–", where),
        ]
        for alert in one.drill.causes
    ]


def lines(played: Sequence["Played"]) -> list[str]:
    """Give the table as Markdown."""
    return _table([row for one in played for row in rows(one)])


def record(played: Sequence["Played"], path: Path = PATH) -> None:
    """Write the table; rows of drills that were not played now stay as they are."""
    now = [row for one in played for row in rows(one)]
    kept = [row for row in _read(path) if row[0] not in {new[0] for new in now}]
    path.write_text(_INTRO + "\n".join(_table(sorted(kept + now))) + "\n", encoding="utf-8")


def _table(body: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (HEAD, ["---"] * len(HEAD), *body)]


def _read(path: Path) -> list[list[str]]:
    if not path.exists():
        return []
    found = re.findall(r"^\| (.+) \|$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [line.split(" | ") for line in found[2:]]
