"""The edge: every UI that runs is reachable by TLS under its own name, and nobody gets in without the login."""

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from clients import ROOT, TIMEOUT, Stack, compose, eventually

CADDYFILE = (ROOT / "edge/Caddyfile").read_text(encoding="utf-8")
NAMES = dict(re.findall(r"^(\w+)\.\{\$EDGE_DOMAIN\} \{\n\timport guarded ([\w-]+):\d+", CADDYFILE, re.MULTILINE))
ROOT_CERTIFICATE = "/data/caddy/pki/authorities/local/root.crt"
REDIRECTS = 5


class Edge:
    """A visitor who trusts the edge's own authority, and knows the login or not."""

    def __init__(self, port: int, password: str, certificate: str) -> None:
        self.port = port
        self.password = password
        self.certificate = certificate

    def pool(self, name: str) -> urllib3.HTTPSConnectionPool:
        """Connections to `name`.localhost, which need not resolve: the certificate has to be that name's."""
        return urllib3.HTTPSConnectionPool(
            "127.0.0.1",
            self.port,
            ca_certs=self.certificate,
            server_hostname=f"{name}.localhost",
            assert_hostname=f"{name}.localhost",
            timeout=TIMEOUT,
            retries=False,
        )

    def get(
        self, name: str, path: str = "/", *, password: str | None = None, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        """GET, following redirects as long as they stay on this name."""
        sent = {"Host": f"{name}.localhost:{self.port}", **headers}
        if password is not None:
            sent |= urllib3.make_headers(basic_auth=f"admin:{password}")
        with self.pool(name) as pool:
            for _ in range(REDIRECTS):
                answer = pool.request("GET", path, headers=sent, redirect=False)
                location = answer.headers.get("Location", "")
                path = location.removeprefix(f"https://{name}.localhost:{self.port}")
                if not path.startswith("/"):
                    return answer
        raise AssertionError(f"{name}: more than {REDIRECTS} redirects, the last to {location}")

    def opened(self, name: str, path: str = "/") -> urllib3.BaseHTTPResponse:
        """GET as somebody who has logged in."""
        return self.get(name, path, password=self.password)


@pytest.fixture(scope="module")
def edge(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """The edge, which is started for this and stopped again where it was not running."""
    was_running = "edge" in compose("ps", "--services", "--status", "running").split()
    if not was_running:
        compose("up", "--detach", "--no-deps", "edge")
    try:
        # the addresses that are published stand in the file as it is with the profile on
        published = json.loads(compose("--profile", "edge", "config", "--format", "json"))["services"]["edge"]["ports"]
        file: Path = tmp_path_factory.mktemp("edge") / "root.crt"
        text = eventually(
            lambda: compose("exec", "-T", "edge", "cat", ROOT_CERTIFICATE), within=20, what="the edge's authority"
        )
        file.write_text(text, encoding="utf-8")
        visitor = Edge(int(published[0]["published"]), stack.secret("edge"), str(file))

        def answers() -> bool:
            try:
                return visitor.get("portal").status == 401
            except urllib3.exceptions.HTTPError:
                return False

        eventually(answers, within=20, what="the edge asks for a login")
        yield visitor
    finally:
        if not was_running:
            compose("rm", "--stop", "--force", "edge")


def running() -> set[str]:
    return set(compose("ps", "--services", "--status", "running").split())


def test_every_ui_that_runs_is_there_and_none_without_the_login(edge: Edge) -> None:
    there = {name for name, service in NAMES.items() if service in running()}
    assert {"portal", "prometheus", "alertmanager", "jaeger", "notifier", "robots", "mail"} <= there
    for name in sorted(NAMES):
        for refused in (edge.get(name), edge.get(name, password="wrong"), edge.get(name, "/api/v1/query?query=up")):
            assert refused.status == 401, name
            assert refused.headers["WWW-Authenticate"].startswith("Basic"), name
            assert not refused.data, name
    for name in sorted(there):
        answer = edge.opened(name)
        assert answer.status == 200, f"{name}: {answer.status}"
        assert "<html" in answer.data[:5000].decode(errors="replace").lower(), name
        assert answer.headers["Strict-Transport-Security"], name


def test_an_api_behind_it_works_too(edge: Edge) -> None:
    answer = edge.opened("prometheus", "/api/v1/query?query=up%7Bjob%3D%22ecommerce-app%22%7D")
    assert answer.json()["data"]["result"]


def test_the_start_page_leads_to_the_names_behind_the_edge(edge: Edge) -> None:
    links = set(re.findall(r'href="([^"]+)"', edge.opened("portal").data.decode()))
    for name in NAMES.keys() - {"portal"}:
        assert f"https://{name}.localhost:{edge.port}/" in links
    assert f"https://shop.localhost:{edge.port}/docs" in links
    assert not [link for link in links if link.startswith("http:")], "an address of the server's own machine"


def test_another_hosts_certificate_opens_nothing(edge: Edge) -> None:
    """The shop asks for no login: a connection made to it must not reach what does."""
    with edge.pool("shop") as pool:
        headers = {"Host": f"prometheus.localhost:{edge.port}"}
        assert pool.request("GET", "/api/v1/query?query=up", headers=headers, redirect=False).status in {401, 421}


def test_customers_need_no_login(edge: Edge) -> None:
    assert edge.get("shop", "/api/v1/products").json()["items"]


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/metrics/",
        "//metrics",
        "/%6detrics",
        "/docs/../metrics",
        "/internal/faults",
        "//internal//faults",
        "/api/v1/metrics/business",
        "/api/v1//metrics/business",
    ],
)
def test_what_operators_use_of_the_shop_stays_inside(stack: Stack, edge: Edge, path: str) -> None:
    login = {"Authorization": f"Bearer {stack.secret('faults')}"}
    with edge.pool("shop") as pool:
        answer = pool.urlopen("GET", path, headers={"Host": "shop.localhost", **login}, redirect=False)
    assert answer.status == 404


def test_what_a_visitor_says_of_its_address_is_not_believed(stack: Stack, edge: Edge) -> None:
    made_up, request_id = "203.0.113.7", uuid.uuid4().hex
    answer = edge.get("shop", "/api/v1/products", **{"X-Forwarded-For": made_up, "X-Request-ID": request_id})
    assert answer.headers["X-Request-ID"] == request_id
    lines = eventually(lambda: stack.elasticsearch.lines(requestId=request_id), within=20, what="the request's lines")
    addresses = {line["meta"]["ip"] for line in lines if "ip" in line["meta"]}
    assert addresses
    assert made_up not in addresses


def test_the_domain_alone_leads_to_the_start_page(edge: Edge) -> None:
    with urllib3.HTTPSConnectionPool(
        "127.0.0.1", edge.port, ca_certs=edge.certificate, server_hostname="localhost", assert_hostname="localhost"
    ) as pool:
        answer = pool.request("GET", "/", headers={"Host": f"localhost:{edge.port}"}, redirect=False)
    assert answer.headers["Location"] == f"https://portal.localhost:{edge.port}/"


def test_without_tls_there_is_nothing(edge: Edge) -> None:
    with urllib3.HTTPConnectionPool("127.0.0.1", edge.port) as pool:
        assert pool.request("GET", "/", headers={"Host": "portal.localhost"}).status == 400
