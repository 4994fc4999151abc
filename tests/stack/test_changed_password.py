"""A changed password: after `make up` everybody knows the new one, and nobody takes the old. Minutes, so long."""

import secrets
import subprocess
import sys

import pytest
import requests
from clients import ROOT, TIMEOUT, Stack, compose

pytestmark = pytest.mark.long


def make_up() -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ops", "up"], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def answers(stack: Stack, password: str) -> int:
    url = f"{stack.elasticsearch.url}/ecommerce-logs-*/_count"
    return requests.get(url, auth=("reader", password), timeout=TIMEOUT).status_code


def test_a_changed_password_is_everywhere_after_make_up(stack: Stack) -> None:
    before = compose("ps", "--quiet", "elasticsearch")
    old, new = stack.secret("elasticsearch_reader"), secrets.token_urlsafe(24)
    assert answers(stack, old) == requests.codes.ok
    (ROOT / ".secrets/elasticsearch_reader").write_text(new + "\n", encoding="utf-8")
    # `make up` itself looks for its order's lines as this user
    assert "✓ in logs (Elasticsearch)" in make_up()
    assert (answers(stack, old), answers(stack, new)) == (requests.codes.unauthorized, requests.codes.ok)
    after = compose("ps", "--quiet", "elasticsearch")
    assert after != before
    make_up()
    assert compose("ps", "--quiet", "elasticsearch") == after, "nothing changed, so nothing is made anew"
