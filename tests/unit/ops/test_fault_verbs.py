"""The verbs of the fault switches, against the switches' own routes on a real server."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

import observability
from observability import logs
from observability.faults import FaultName, FaultSettings
from observability.faults.model import OF_THE_PROCESS, WHOLE
from observability.faults.store import MemoryStore
from observability.faults.switches import switches as process
from observability.settings import LogSettings
from ops import faults
from ops.console import OpsError
from ops.faults import FAULTS, Switches
from ops.shell import ROOT


def test_the_catalogue_is_the_switches() -> None:
    assert tuple(FAULTS) == get_args(FaultName)


def test_the_guide_describes_each_fault() -> None:
    guide = (ROOT / "docs/guides/faults.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .* \| (yes|`SHARE`|no) \|$", guide, re.MULTILINE)
    assert {name for name, _ in rows} == set(FAULTS)
    assert {name for name, takes in rows if takes == "no"} == WHOLE
    assert {name for name, takes in rows if takes != "yes"} == OF_THE_PROCESS


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Switches]:
    logs.configure(LogSettings(log_path=str(tmp_path), log_console="off"), "test-service")
    app = FastAPI()
    settings = FaultSettings(faults_enabled=True, faults_token=SecretStr("let-me-in"))
    observability.install(app, service="test-service", faults=settings)
    app.add_api_route("/items/{item}", lambda item: item)
    monkeypatch.setattr(process, "_store", MemoryStore())
    for name in ("FAULT", "FOR", "SHARE", "ROUTE", "DELAY"):
        monkeypatch.delenv(name, raising=False)
    with served(app) as url:
        here = Switches(url, "let-me-in")
        monkeypatch.setattr(faults, "_here", lambda: here)
        yield here
        here.clear()
    process.enabled = False
    logs.shutdown(5)


def options(running: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        fault["name"]: {key: value for key, value in fault.items() if key not in {"name", "ends_at"}}
        for fault in running
    }


def test_a_fault_is_set_with_its_options_and_cleared(
    shop: Switches, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {
        "FAULT": "latency",
        "FOR": "90",
        "SHARE": "0.5",
        "ROUTE": "/items/{item}",
        "DELAY": "2",
    }.items():
        monkeypatch.setenv(name, value)
    faults.fault()
    assert options(shop.running()) == {"latency": {"share": 0.5, "route": "/items/{item}", "delay": 2}}
    assert shop.running()[0]["ends_at"] == pytest.approx(time.time() + 90, abs=5)
    faults.show()
    assert "RUNS, share 0.5, route /items/{item}, delay 2.0" in capsys.readouterr().out
    faults.clear()
    assert shop.running() == []


def test_clearing_one_leaves_the_others(shop: Switches, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.start("errors")
    shop.start("cache_loss")
    monkeypatch.setenv("FAULT", "errors")
    faults.clear()
    assert options(shop.running()) == {"cache_loss": {"share": 1, "route": None, "delay": None}}
    monkeypatch.delenv("FAULT")
    faults.clear()
    assert shop.running() == []


def test_a_fault_lasts_as_long_as_its_block_whatever_happens_in_it(shop: Switches) -> None:
    def block() -> None:
        with shop.fault("errors"):
            assert options(shop.running()).keys() == {"errors"}
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the block's own
        block()
    assert shop.running() == []


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "FAULT is not set"),
        ({"FAULT": "fire"}, "there is no fault FAULT=fire"),
        ({"FAULT": "errors", "FOR": "long"}, "FOR=long is not a number"),
        ({"FAULT": "errors", "FOR": "7200"}, "less than or equal to 3600"),
        ({"FAULT": "errors", "SHARE": "0"}, "greater than 0"),
        ({"FAULT": "errors", "ROUTE": "/items/7"}, "no route ROUTE=/items/7\n    /items/{item}\n"),
        ({"FAULT": "memory_growth", "SHARE": "0.5"}, "hits the whole process"),
        ({"FAULT": "errors", "SHARE": "nan"}, "SHARE=nan is not a number"),
    ],
)
def test_a_wrong_value_is_said(
    shop: Switches, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(OpsError) as told:
        faults.fault()
    assert message in str(told.value)
    assert shop.running() == []


def test_another_token_and_a_shop_that_is_away_are_said(shop: Switches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_here", lambda: Switches(shop.shop, "another"))
    with pytest.raises(OpsError, match="another token"):
        faults.show()
    monkeypatch.setattr(faults, "_here", lambda: Switches("http://127.0.0.1:9", "let-me-in"))
    with pytest.raises(OpsError, match="the shop does not answer"):
        faults.show()
