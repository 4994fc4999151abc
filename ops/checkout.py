"""The checkout's files, as containers need them."""

import contextlib
import stat
from pathlib import Path

from ops.shell import ROOT

_READ = stat.S_IRGRP | stat.S_IROTH
_ENTER = stat.S_IXGRP | stat.S_IXOTH


def make_readable(root: Path = ROOT) -> int:
    """Let every user read the project's files, which containers mount and images hold; return how many were not.

    After a clone with a strict umask they are their owner's alone. What is hidden (.secrets, .git, …) stays so, what
    belongs to somebody else is left to them.
    """
    changed = 0
    for top in root.iterdir():
        if top.name.startswith("."):
            continue
        for path in [top, *top.rglob("*")]:
            # somebody else's, or gone since: a cache that Python writes meanwhile
            with contextlib.suppress(PermissionError, FileNotFoundError):
                mode = path.lstat().st_mode
                wanted = mode | _READ | (_ENTER if mode & stat.S_IXUSR else 0)
                if wanted != mode and not stat.S_ISLNK(mode):
                    path.chmod(stat.S_IMODE(wanted))
                    changed += 1
    return changed
