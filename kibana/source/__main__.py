"""Write kibana/saved-objects/ecommerce-logs.ndjson."""

from pathlib import Path

from kibana.source.objects import render

FILE = Path(__file__).resolve().parent.parent / "saved-objects" / "ecommerce-logs.ndjson"


def main() -> None:
    """Write the file."""
    FILE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
