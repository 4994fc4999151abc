"""What `docker compose ps` says."""

from __future__ import annotations

import json
from subprocess import CompletedProcess

import pytest

from ops import compose
from ops.console import OpsError

APP = {"Name": "x-app-1", "Service": "app", "State": "running", "Health": "healthy", "ExitCode": 0}
GONE = CompletedProcess([], 1, "", "Error response from daemon: No such container: e1bd0ca8\n")


def answers(monkeypatch: pytest.MonkeyPatch, *given: CompletedProcess[str]) -> None:
    left = list(given)
    monkeypatch.setattr(compose, "run", lambda _: left.pop(0) if len(left) > 1 else left[0])


def test_a_container_that_is_removed_meanwhile_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, GONE, GONE, CompletedProcess([], 0, json.dumps(APP) + "\n", ""))
    (found,) = compose.containers()
    assert (found.service, found.is_ready(one_shot=False, is_checked=True)) == ("app", True)


@pytest.mark.parametrize("failure", [GONE, CompletedProcess([], 1, "", "Cannot connect to the Docker daemon\n")])
def test_what_stays_wrong_is_said(failure: CompletedProcess[str], monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, failure)
    with pytest.raises(OpsError, match="docker compose ps failed"):
        compose.containers()
