"""A server span's name and attributes, by OpenTelemetry's HTTP semantic conventions (stable since 1.23)."""

import re
from typing import Any

from starlette.types import Scope

from observability.logs import redaction
from observability.metrics.http import METHODS, OTHER_METHOD, UNMATCHED

_HOST = re.compile(r"(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?").fullmatch


def facts(  # noqa: PLR0913, PLR0917 - what is known of a request
    scope: Scope, headers: dict[bytes, bytes], method: str, route: str, status: int, user_id: str | None
) -> tuple[Any, ...]:
    """Return what `describe` asks for: plain values, so that it can be called later, and elsewhere."""
    client = scope.get("client")
    address, port = scope.get("server") or ("", None)
    return (
        method,
        route,
        status,
        user_id,
        scope["path"],
        scope.get("query_string"),
        scope.get("scheme", "http"),
        scope.get("http_version", "1.1"),
        client[0] if client else None,
        headers.get(b"host"),
        headers.get(b"user-agent"),
        address,
        port,
    )


def describe(  # noqa: PLR0913, PLR0917 - what is known of a request
    method: str,
    route: str,
    status: int,
    user_id: str | None,
    path: str,
    query: bytes | None,
    scheme: str,
    version: str,
    client: str | None,
    host: bytes | None,
    agent: bytes | None,
    address: str,
    port: int | None,
) -> tuple[str, dict[str, str | int]]:
    """Return name and attributes."""
    known = method in METHODS
    attributes: dict[str, str | int] = {
        "http.request.method": method if known else OTHER_METHOD,
        "url.path": redaction.text(path),
        "url.scheme": scheme,
        "network.protocol.version": version,
    }
    if not known:
        attributes["http.request.method_original"] = redaction.text(method)
    if query:
        attributes["url.query"] = redaction.text(query.decode("latin-1"))
    if host:
        address, port = _server(host)
    if address:
        attributes["server.address"] = address
    if port:
        attributes["server.port"] = port
    if client:
        attributes["client.address"] = client
    if agent:
        attributes["user_agent.original"] = redaction.text(agent.decode("latin-1"))
    attributes["http.response.status_code"] = status
    if user_id is not None:
        attributes["user.id"] = user_id
    name = method if known else "HTTP"
    if route == UNMATCHED:
        return name, attributes
    attributes["http.route"] = route
    return f"{name} {route}", attributes


def _server(host: bytes) -> tuple[str, int | None]:
    """Return the name and port that the client asked for."""
    text = redaction.text(host.decode("latin-1"))
    parts = _HOST(text)
    if parts is None:
        return text, None
    return parts[1].strip("[]"), int(parts[2]) if parts[2] else None
