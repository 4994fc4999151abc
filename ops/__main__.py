"""`python3 -m ops VERB`: one verb a target of the Makefile."""

import sys
from collections.abc import Callable

from ops import engine
from ops.console import OpsError, item, step


def _engine() -> None:
    step("Docker engine")
    found = engine.ensure()
    item(f"Docker Engine {found.version}, compose {found.compose}, buildx {found.buildx}")


VERBS: dict[str, Callable[[], None]] = {"engine": _engine}


def main(args: list[str]) -> int:
    """Run one verb; 0, 1 for what a person has to put right, 2 for a wrong call."""
    if len(args) != 1 or args[0] not in VERBS:
        print(f"usage: python3 -m ops {{{','.join(VERBS)}}}", file=sys.stderr)
        return 2
    try:
        VERBS[args[0]]()
    except OpsError as error:
        print(f"make {args[0]}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on where this left off", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
