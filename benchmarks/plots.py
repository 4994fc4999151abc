"""Small SVG plots."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

from benchmarks.intervals import Estimate

mpl.use("svg")
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "benchmarks", "font.size": 9, "axes.spines.top": False})
mpl.rcParams.update({"axes.spines.right": False})

from matplotlib import pyplot as plt  # noqa: E402 - the backend is chosen first

_FOLDER = Path(__file__).parent / "plots"
_OURS, _OTHERS = "#1f77b4", "#b0b0b0"


def bars(name: str, values: Mapping[str, Estimate], title: str, *, line: float | None = None) -> None:
    """Draw one bar a value, with its interval."""
    figure, axes = plt.subplots(figsize=(7, 0.6 + 0.35 * len(values)))
    labels = list(values)[::-1]
    heights = [values[label].value for label in labels]
    errors = [
        [max(0.0, values[label].value - values[label].low) for label in labels],
        [max(0.0, values[label].high - values[label].value) for label in labels],
    ]
    colors = [_OURS if label.startswith("ours") else _OTHERS for label in labels]
    axes.barh(labels, heights, xerr=errors, color=colors, ecolor="#404040", capsize=2)
    if line is not None:
        axes.axvline(line, color="#404040", linewidth=0.8)
    axes.set_title(title, fontsize=9)
    _save(figure, name)


def lines(name: str, values: Mapping[str, Sequence[tuple[float, Estimate]]], across: str, up: str) -> None:
    """Draw one line a name."""
    figure, axes = plt.subplots(figsize=(7, 2.6))
    for label, points in values.items():
        color = _OURS if label.startswith("ours") else None
        axes.plot(
            [x for x, _ in points], [y.value for _, y in points], marker="o", markersize=3, label=label, color=color
        )
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.legend(frameon=False)
    _save(figure, name)


def _save(figure: plt.Figure, name: str) -> None:
    _FOLDER.mkdir(exist_ok=True)
    figure.savefig(_FOLDER / f"{name}.svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
