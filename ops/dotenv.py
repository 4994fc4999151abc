"""`.env` belongs to the person. `make up` keeps its own lines in a marked block and touches nothing else."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from ops.shell import ROOT

PATH = ROOT / ".env"
_BEGIN = "# >>> written by `make up`; your own lines go above >>>"
_END = "# <<< written by `make up` <<<"


def read_own(path: Path = PATH) -> dict[str, str]:
    """Give the person's settings: the lines outside the block."""
    return _parse(_split(path)[0])


def read_ours(path: Path = PATH) -> dict[str, str]:
    """Give what `make up` wrote before."""
    return _parse(_split(path)[1])


def setting(name: str, path: Path = PATH) -> str | None:
    """Give what the person set, in the environment or in `.env`; None when nothing, which differs from empty."""
    return os.environ[name] if name in os.environ else read_own(path).get(name)


def write_ours(values: Mapping[str, str], path: Path = PATH) -> None:
    """Replace the block, at the end of the file, because the last of two lines is the one that counts."""
    own, _ = _split(path)
    if own and not own.endswith("\n"):
        own += "\n"
    block = "".join(f"{name}={value}\n" for name, value in values.items())
    text = f"{own}{_BEGIN}\n{block}{_END}\n"
    real = path.resolve()
    if _read(real) == text:
        return
    new = real.with_name(f"{real.name}.new")
    new.write_text(text, encoding="utf-8", newline="")
    if real.exists():
        shutil.copymode(real, new)
    new.rename(real)  # whole or not at all: a kill must not cost the person's lines


def _read(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def _split(path: Path) -> tuple[str, str]:
    """Part the person's text from the block."""
    own: list[str] = []
    ours: list[str] = []
    inside = False
    for line in _read(path).splitlines(keepends=True):
        if line.strip() == _BEGIN:
            inside = True
        elif line.strip() == _END:
            inside = False
        else:
            (ours if inside else own).append(line)
    return "".join(own), "".join(ours)


def _parse(text: str) -> dict[str, str]:
    values = {}
    for line in text.splitlines():
        name, separator, value = line.strip().removeprefix("export ").partition("=")
        if separator and not name.startswith("#"):
            values[name.strip()] = _unquoted(value.strip())
    return values


def _unquoted(value: str) -> str:
    if value[:1] in {"'", '"'} and (end := value.find(value[0], 1)) > 0:
        return value[1:end]
    return value.split(" #", 1)[0].rstrip()
