"""Holding the shop's answers to its OpenAPI document."""

import secrets

import requests
from requests.adapters import HTTPAdapter
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from urllib3.util import Retry

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


class Session(requests.Session):
    """A customer's session with the shop at `url`, logged in."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        retry = HTTPAdapter(max_retries=Retry(connect=20, backoff_factor=0.1, allowed_methods=None))
        self.mount("http://", retry)  # until the shop has opened
        account = {"email": f"declared-{secrets.token_hex(8)}@example.com", "password": secrets.token_urlsafe(12)}
        self.post(f"{url}/api/v1/users", json={**account, "name": "a"}, timeout=10).raise_for_status()
        token = self.post(f"{url}/api/v1/sessions", json=account, timeout=10).json()["token"]
        self.headers["Authorization"] = f"Bearer {token}"
