"""What a person sees: short lines, and errors that say what to do."""

import os
import sys


class OpsError(Exception):
    """Something a person has to put right: the problem in one line, what to do about it, and the lines that show it."""

    def __init__(self, problem: str, remedy: str, details: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.details = details

    def __str__(self) -> str:
        shown = "".join(f"\n    {line}" for line in self.details.splitlines())
        return f"{self.problem}{shown}\n  → {self.remedy}"


def say(text: str = "") -> None:
    """Print a line, at once even into a pipe."""
    print(text, flush=True)


def step(text: str) -> None:
    """Say what is being done now."""
    say(f"▸ {text}")


def item(text: str) -> None:
    """Say a thing within a step."""
    say(f"  {text}")


def is_interactive() -> bool:
    """Tell whether a person can answer a question."""
    return sys.stdin.isatty() and not os.environ.get("CI")


def ask(question: str, *, default: bool) -> bool:
    """Ask a person; `default` is what an empty answer, and no person, mean."""
    if not is_interactive():
        return default
    try:
        answer = input(f"  {question} [{'Y/n' if default else 'y/N'}] ").strip().lower()
    except EOFError:
        return False
    return answer in {"y", "yes"} if answer else default
