"""What is where, and where its password is."""

from typing import Any

from ops import compose
from ops.console import say

_ROWS = {
    # service, port in the container: what it is, path, login
    ("portal", 8080): ("start page", "/", ""),
    ("portal", 3000): ("shop, its API", "/docs", "register; faults: .secrets/faults"),
    ("grafana", 3000): ("Grafana", "/", "admin, .secrets/grafana"),
    ("kibana", 5601): ("Kibana", "/", "elastic, .secrets/elastic"),
    ("prometheus", 9090): ("Prometheus", "/", ""),
    ("alertmanager", 9093): ("Alertmanager", "/", ""),
    ("jaeger", 16686): ("Jaeger", "/", ""),
    ("mailpit", 8025): ("caught mail", "/", ""),
    ("notifier", 9095): ("notifier", "/", ""),
    ("chat-robots", 9096): ("chat stand-ins", "/", ""),
    ("elasticsearch", 9200): ("Elasticsearch", "/_cluster/health", "elastic, .secrets/elastic"),
    ("jaeger", 4317): ("OTLP gRPC", "", ""),
    ("jaeger", 4318): ("OTLP HTTP", "", ""),
    ("jaeger", 14268): ("Jaeger Thrift", "", ""),
    ("edge", 8443): ("all that, by TLS", "/", "admin, .secrets/edge"),
}


def address(resolved: dict[str, Any], service: str, target: int) -> str | None:
    """Give the URL at which a container's port is published; None when it is not."""
    for port in compose.ports(resolved):
        if port.service == service and port.target == target:
            if service == "edge":  # it answers to names alone
                return f"https://portal.{resolved['services'][service]['environment']['EDGE_DOMAIN']}:{port.published}"
            host = "127.0.0.1" if port.host in {"0.0.0.0", "::"} else port.host  # noqa: S104 - compared, not bound
            return f"http://{host}:{port.published}"
    return None


def table(resolved: dict[str, Any]) -> list[str]:
    """Give one line for each published address."""
    rows = []
    for (service, target), (name, path, login) in _ROWS.items():
        if url := address(resolved, service, target):
            rows.append((name, url.removeprefix("http://") if not path else url + path.removesuffix("/"), login))
    width = max((len(url) for _, url, _ in rows), default=0)
    return [f"{name:<18}{url:<{width + 2}}{login}".rstrip() for name, url, login in rows]


def show(resolved: dict[str, Any]) -> None:
    """Print the table."""
    for line in table(resolved):
        say(f"  {line}")
    say("  Passwords are files of that name in .secrets/, one line each: cat .secrets/elastic")
