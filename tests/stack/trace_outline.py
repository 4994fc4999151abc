"""A trace as an outline, so that an expected one can be read, written down, and compared as text.

One span a line: its service, then its kind and name, indented under its parent. Siblings stand in the order they began.
`!503` is the status ERROR with its error.type, `-CardDeclined` a refusal (app.refusal), `+exception` an exception
recorded on it, `~createOrder` a link to that span.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Span:
    """One span as Jaeger's API gives it."""

    id: str
    parent: str | None
    links: frozenset[str]
    service: str
    name: str
    start: int
    tags: dict[str, Any]
    events: tuple[str, ...]
    resource: dict[str, Any]

    @property
    def kind(self) -> str:
        """`server`, `client`, `internal`, …"""
        return str(self.tags["span.kind"])

    @property
    def error(self) -> str | None:
        """Its error.type; None unless its status is ERROR."""
        if self.tags.get("otel.status_code") != "ERROR":
            return None
        return str(self.tags.get("error.type", "?"))


def spans_of(trace: dict[str, Any]) -> list[Span]:
    """The spans of one trace, the earliest first."""
    found = []
    for span in trace["spans"]:
        parents = [ref["spanID"] for ref in span["references"] if ref["refType"] == "CHILD_OF"]
        process = trace["processes"][span["processID"]]
        found.append(
            Span(
                id=span["spanID"],
                parent=parents[0] if parents else None,
                links=frozenset(ref["spanID"] for ref in span["references"] if ref["refType"] == "FOLLOWS_FROM"),
                service=process["serviceName"],
                name=span["operationName"],
                start=span["startTime"],
                tags=values(span["tags"]),
                events=tuple(str(values(log["fields"]).get("event")) for log in span["logs"]),
                resource=values(process["tags"]),
            )
        )
    return sorted(found, key=lambda span: span.start)


def values(tags: list[dict[str, Any]]) -> dict[str, Any]:
    """Jaeger's list of tags as a dictionary."""
    return {tag["key"]: tag["value"] for tag in tags}


def outline(spans: list[Span]) -> str:
    """The outline. A span whose parent is not here stands at the margin, as only the first should."""
    known = {span.id: span for span in spans}
    children: dict[str | None, list[Span]] = defaultdict(list)
    for span in spans:
        children[span.parent if span.parent in known else None].append(span)
    lines: list[str] = []

    def write(span: Span, depth: int) -> None:
        notes = [f"!{span.error}"] if span.error else []
        notes += [f"-{span.tags['app.refusal']}"] if "app.refusal" in span.tags else []
        notes += ["+exception"] * span.events.count("exception")
        notes += [f"~{known[link].name if link in known else '?'}" for link in span.links]
        lines.append(" ".join([f"{span.service:<16} {'  ' * depth}{span.kind} {span.name}", *notes]))
        for child in children[span.id]:
            write(child, depth + 1)

    for root in children[None]:
        write(root, 0)
    return "\n".join(lines)
