"""`python3 -m ops.scale_rules FACTOR TO`: a copy of prometheus/ whose clock runs faster, for quick drills.

Everything that waits is scaled by the one factor: windows, `for`, offsets, how far `predict_linear` looks ahead, the
intervals of scrapes and evaluations, so that a window holds as many samples as it does in earnest. The text is changed,
not the YAML: what is read in the copy is the shipped file with other durations. Names keep the windows they are named
after, thresholds keep their numbers (rates and ratios do not depend on a window).
"""

import re
import shutil
import sys
from pathlib import Path

from ops.shell import ROOT

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = r"\d+[smhdw]"
# [5m] and [1h] in an expression, never in a name
_WINDOW = re.compile(rf"\[({_DURATION})\]")
_OFFSET = re.compile(rf"\boffset ({_DURATION})\b")
# seconds: `predict_linear(…[6h], 24 * 60 * 60)`
_AHEAD = re.compile(r"(\bpredict_linear\([^,]+, )([\d *]+)\)")
_WAIT = re.compile(rf"^([ -]+(?:for|keep_firing_for|\w*interval|scrape_timeout): )({_DURATION})\b", re.MULTILINE)


def scale(text: str, factor: float) -> str:
    """Scale the durations of one file's text."""

    def scaled(duration: str) -> str:
        milliseconds = max(round(int(duration[:-1]) * _UNITS[duration[-1]] * factor * 1000), 1)
        return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"

    text = _WINDOW.sub(lambda found: f"[{scaled(found[1])}]", text)
    text = _AHEAD.sub(rf"\1\2 * {factor})", text)
    text = _OFFSET.sub(lambda found: f"offset {scaled(found[1])}", text)
    return _WAIT.sub(lambda found: found[1] + scaled(found[2]), text)


def copy(to: Path, factor: float, source: Path = ROOT / "prometheus") -> None:
    """Write the copy; `to` must be new or a copy made before."""
    if to.exists() and not (to / "prometheus.yml").exists():
        raise SystemExit(f"{to}: is there and is no copy of prometheus/; name a new folder")
    shutil.copytree(source, to, dirs_exist_ok=True, ignore=shutil.ignore_patterns("tests"))
    for path in [to / "prometheus.yml", to / "ecommerce_rules.yml", *to.glob("rules/*.yml")]:
        path.write_text(scale(path.read_text(encoding="utf-8"), factor), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Copy; 2 for a wrong call."""
    match arguments:
        case [factor, to] if re.fullmatch(r"0?\.\d*[1-9]\d*|1", factor):
            copy(Path(to), float(factor))
            return 0
    print("usage: python3 -m ops.scale_rules FACTOR TO    FACTOR is over 0 and at most 1, as 0.1", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
