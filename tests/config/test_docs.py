"""The project's pages: every link to another file of it leads somewhere, and the README's twin says the same things."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
PAGES = [
    ROOT / name
    for name in subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    dead = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert dead == []


def test_the_twin_has_the_same_commands_links_and_tables() -> None:
    one, other = (ROOT / name for name in ("README.md", "README.zh-CN.md"))
    for kind in (r"^    \S+ \S+", r"https?://[\w.:/-]+", r"\]\(([^)]+)\)", r"^## ", r"^\| "):
        found = [re.findall(kind, page.read_text(encoding="utf-8"), re.MULTILINE) for page in (one, other)]
        assert found[0] == found[1], kind
