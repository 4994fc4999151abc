"""`python3 -m ops VERB`: one verb a target of the Makefile."""

import signal
import sys
from collections.abc import Callable

from ops import budget, doctor, faults, images, logs, official, python, up
from ops.console import OpsError
from ops.drills import play
from ops.shell import settle_home

VERBS: dict[str, Callable[[], int | None]] = {
    "up": up.up,
    "down": up.down,
    "clean": up.clean,
    "images": up.images,
    "urls": up.show_urls,
    "budget": budget.show,
    "doctor": doctor.doctor,
    "logs": logs.logs,
    "faults": faults.show,
    "fault": faults.fault,
    "fault-clear": faults.clear,
    "drill": play.drill,
    "test": python.test,
    "test-long": python.test_long,
    "verify-official": official.verify,
    "check": python.check,
    "bench": python.bench,
    "bench-metrics": python.bench_metrics,
    "bench-logs": python.bench_logs,
    "bench-traces": python.bench_traces,
}


def main(args: list[str]) -> int:
    """Run one verb; 0, 1 for what a person has to put right, 2 for a wrong call."""
    if args[:1] == ["images"] and args[1:]:
        return images.main(args[1:])
    if len(args) != 1 or args[0] not in VERBS:
        print(f"usage: python3 -m ops {{{','.join(VERBS)}}}", file=sys.stderr)
        return 2
    # as Ctrl-C does, so that builds and other children are ended too
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        settle_home()
        return VERBS[args[0]]() or 0
    except OpsError as error:
        print(f"✗ make {args[0]}: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(
            f"✗ make {args[0]}: {error.filename} may not be read or written by this user\n"
            '  → sudo chown -R "$(id -u)" . gives this checkout to you',
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on where this left off", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
