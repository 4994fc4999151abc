"""The API against its own description: whatever is sent, the answer is one that the document declares."""

import socket
import threading
from collections.abc import Iterator

import pytest
import schemathesis
import uvicorn
from declared import CHECKS, Session
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from shop.app import create_app
from shop.settings import ShopSettings


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Serve the shop on a port of its own, and log in."""
    folder = tmp_path_factory.mktemp("openapi")
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as listener:
        patch.setenv("LOG_PATH", str(folder / "logs"))
        patch.setenv("LOG_CONSOLE", "off")
        patch.setenv("OTEL_SDK_DISABLED", "true")
        patch.setenv("PAYMENTS_GATEWAY_LATENCY_MEDIAN_MS", "0")
        app = create_app(ShopSettings(sqlite_path=str(folder / "shop.db")))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            with Session(f"http://127.0.0.1:{listener.getsockname()[1]}") as session:
                yield session
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def api_schema(session: Session) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{session.url}/openapi.json")


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_as_declared(
    session: Session, api_schema: schemathesis.BaseSchema, mode: GenerationMode
) -> None:
    """Send what the document allows (positive), and what it does not (negative)."""
    for result in api_schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def answers_as_declared(case: schemathesis.Case) -> None:
            case.call_and_validate(session=session, checks=CHECKS)

        try:
            answers_as_declared()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # an operation without parameters cannot be asked wrongly


def test_every_error_is_declared_as_problem_details(session: Session) -> None:
    document = session.get(f"{session.url}/openapi.json", timeout=10).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if not path.startswith("/api/v1") or "/metrics/" in path:
                continue
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert list(response["content"]) == ["application/problem+json"], (method, path, status)
            secured = bool(operation.get("security"))
            assert ("401" in operation["responses"]) >= secured, (method, path)
