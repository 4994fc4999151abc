"""A server span's name and attributes, by OpenTelemetry's HTTP semantic conventions (stable since 1.23)."""

import re
from typing import TYPE_CHECKING, Any

from observability.context import Asked
from observability.logs import redaction
from observability.metrics.http import METHODS, OTHER_METHOD, UNMATCHED

if TYPE_CHECKING:
    from observability.asgi import HttpRequest

_HOST = re.compile(r"(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?").fullmatch


def facts(request: "HttpRequest", route: str, status: int) -> tuple[Any, ...]:
    """Return what `describe` asks for: plain values, so that it can be called later, and elsewhere."""
    scope = request.scope
    address, port = scope.get("server") or ("", None)
    return (
        request.asked(),
        route,
        status,
        request.user_id,
        scope.get("scheme", "http"),
        scope.get("http_version", "1.1"),
        request.headers.get(b"host"),
        address,
        port,
    )


def describe(  # noqa: PLR0913, PLR0917 - what is known of a request
    asked: Asked,
    route: str,
    status: int,
    user_id: str | None,
    scheme: str,
    version: str,
    host: bytes | None,
    address: str,
    port: int | None,
) -> tuple[str, dict[str, str | int]]:
    """Return name and attributes."""
    method, path, query, client, agent = asked
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
        attributes["url.query"] = redaction.query(query.decode("latin-1"))
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
