"""Files of a checkout made under a strict umask."""

from pathlib import Path

from ops.checkout import make_readable


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_containers_may_read_what_is_not_hidden(tmp_path: Path) -> None:
    folder, hidden = tmp_path / "redis", tmp_path / ".secrets"
    for made in (folder, hidden):
        made.mkdir(mode=0o700)
        (made / "file").touch(mode=0o600)
    script = folder / "start.sh"
    script.touch(mode=0o700)
    assert make_readable(tmp_path) == 3
    assert (mode(folder), mode(folder / "file"), mode(script)) == (0o755, 0o644, 0o755)
    assert (mode(hidden), mode(hidden / "file")) == (0o700, 0o600)
    assert make_readable(tmp_path) == 0
