"""Write every dashboard to grafana/dashboards/."""

from pathlib import Path

from grafana.source.boards import render

FOLDER = Path(__file__).resolve().parent.parent / "dashboards"


def main() -> None:
    """Write the files, and remove those that no module makes any more."""
    files = render()
    for left_over in set(FOLDER.glob("*.json")) - {FOLDER / name for name in files}:
        left_over.unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
