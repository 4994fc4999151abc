"""What is wrong with a machine, or will be, and what to do about it."""

from collections.abc import Collection
from dataclasses import dataclass

from ops.console import OpsError, item


@dataclass(frozen=True)
class Finding:
    """One problem. An error stops, a warning does not."""

    problem: str
    remedy: str
    is_error: bool = False


def report(found: Collection[Finding]) -> None:
    """Print warnings; raise OpsError with every error at once, so that a person mends all in one go."""
    for warning in (finding for finding in found if not finding.is_error):
        item(f"! {warning.problem}\n    → {warning.remedy}")
    errors = [finding for finding in found if finding.is_error]
    if len(errors) == 1:
        raise OpsError(errors[0].problem, errors[0].remedy)
    if errors:
        raise OpsError(
            f"{len(errors)} things stand in the way",
            "put these right, then try again",
            "\n".join(f"{finding.problem}\n  → {finding.remedy}" for finding in errors),
        )
