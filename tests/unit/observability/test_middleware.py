"""The corners of the middleware, through real FastAPI applications."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import REGISTRY
from starlette.routing import Mount, Route, Router

import observability
from observability.context import current, request_id
from observability.metrics.http import METHODS
from observability.metrics.http import requests as http_requests

Change = Callable[..., float]


class TeapotError(Exception):
    pass


def make_app(tmp_path: Any) -> FastAPI:  # noqa: C901, PLR0915 - one small route a corner
    app = FastAPI()
    observability.install(app, service="test-service")
    inner = APIRouter(prefix="/inner")

    @inner.get("/{thing}")
    async def thing(thing: int) -> dict[str, int]:
        return {"thing": thing}

    @inner.post("/{thing}", status_code=201)
    def make(thing: int) -> dict[str, str | None]:  # sync: runs in a thread
        observability.bind_user(f"user-{thing}")
        return {"request": request_id()}

    outer = APIRouter(prefix="/outer/{tenant}")
    outer.include_router(inner)
    app.include_router(outer, prefix="/v1")

    @app.get("/boom")
    async def boom() -> None:
        raise RuntimeError("boom")

    @app.get("/teapot")
    async def teapot() -> None:
        raise TeapotError

    @app.get("/refused")
    async def refused() -> None:
        raise HTTPException(503, "closed")

    @app.get("/slash/")
    async def slash() -> None: ...

    @app.head("/both", operation_id="both_head")
    @app.get("/both")
    async def both() -> PlainTextResponse:
        return PlainTextResponse("hello")

    @app.get("/stream")
    async def stream(fail: bool = False) -> StreamingResponse:  # noqa: FBT001, FBT002 - a query parameter
        async def body() -> AsyncIterator[bytes]:
            for part in range(3):
                await asyncio.sleep(0.03)
                yield b"x"
                if fail and part == 1:
                    raise RuntimeError("broke off")

        return StreamingResponse(body())

    @app.post("/background", status_code=202)
    async def background(tasks: BackgroundTasks, fail: bool = False) -> None:  # noqa: FBT001, FBT002 - a query parameter
        async def work() -> None:
            await asyncio.sleep(0.5)
            assert current() is not None
            if fail:
                raise RuntimeError("too late")

        tasks.add_task(work)

    @app.get("/healthz")
    async def healthz(fail: bool = False) -> None:  # noqa: FBT001, FBT002 - a query parameter
        if fail:
            raise HTTPException(503)

    def authenticate() -> None:
        observability.bind_user("u-42")

    @app.get("/mine", dependencies=[Depends(authenticate)])
    async def mine() -> None: ...

    @app.websocket("/ws/{room}")
    async def ws(socket: WebSocket, room: str) -> None:
        await socket.accept()
        await socket.send_json({"room": room, "request": request_id()})
        await socket.close()

    @app.exception_handler(TeapotError)
    async def handle(_: Request, __: TeapotError) -> JSONResponse:
        return JSONResponse({"id": request_id()}, 418)

    sub = FastAPI()

    @sub.get("/items/{item}")
    async def item(item: str) -> str:
        return item

    app.mount("/sub/{tenant}", sub)

    async def old(_: Request) -> PlainTextResponse:
        return PlainTextResponse("old")

    app.mount("/plain", Router([Route("/deep/{x}", old), Mount("/more", routes=[Route("/{y}", old)])]))
    (tmp_path / "a.txt").write_text("a")
    app.mount("/static", StaticFiles(directory=tmp_path))
    app.add_route("/starlette/{z}", old)
    return app


@pytest.fixture
async def client(tmp_path: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(make_app(tmp_path), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


@pytest.mark.parametrize(
    ("method", "path", "status", "route"),
    [
        ("GET", "/v1/outer/t1/inner/7", 200, "/v1/outer/{tenant}/inner/{thing}"),
        ("POST", "/v1/outer/t2/inner/7", 201, "/v1/outer/{tenant}/inner/{thing}"),
        ("GET", "/v1/outer/t1/inner/x", 422, "/v1/outer/{tenant}/inner/{thing}"),
        ("DELETE", "/v1/outer/t1/inner/7", 405, "/v1/outer/{tenant}/inner/{thing}"),
        ("GET", "/v1/outer/t1/other", 404, "unmatched"),
        ("GET", "/nothing/here", 404, "unmatched"),
        ("GET", "/slash", 307, "/slash/"),
        ("GET", "/boom", 500, "/boom"),
        ("GET", "/teapot", 418, "/teapot"),
        ("GET", "/refused", 503, "/refused"),
        ("GET", "/both", 200, "/both"),
        ("HEAD", "/both", 200, "/both"),
        ("HEAD", "/boom", 405, "/boom"),
        ("GET", "/stream", 200, "/stream"),
        ("GET", "/sub/acme/items/3", 200, "/sub/{tenant}/items/{item}"),
        ("GET", "/sub/acme/nothing", 404, "unmatched"),
        ("GET", "/plain/deep/3", 200, "/plain/{path}"),
        ("GET", "/plain/none", 404, "unmatched"),
        ("GET", "/static/a.txt", 200, "/static/{path}"),
        ("GET", "/static/none.txt", 404, "unmatched"),
        ("GET", "/starlette/1", 200, "/starlette/{z}"),
        ("GET", "/openapi.json", 200, "/openapi.json"),
    ],
)
async def test_each_answer_counts_once_under_its_template(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    client: httpx.AsyncClient, change: Change, method: str, path: str, status: int, route: str
) -> None:
    labels = {"method": method, "route": route, "status_code": str(status)}
    names = ("http_requests_total", "http_request_duration_seconds_count", "http_response_time_seconds_count")
    total = sum(sample.value for family in http_requests.collect() for sample in family.samples)
    for name in names:
        change(name, **labels)
    response = await client.request(method, path)
    assert response.status_code == status
    assert response.headers["x-request-id"]
    assert [change(name, **labels) for name in names] == [1, 1, 1]
    assert sum(sample.value for family in http_requests.collect() for sample in family.samples) == total + 1
    assert REGISTRY.get_sample_value("http_requests_in_progress") == 0


async def test_a_streamed_answer_is_timed_to_its_first_and_to_its_last_byte(
    client: httpx.AsyncClient, change: Change
) -> None:
    labels = {"method": "GET", "route": "/stream", "status_code": "200"}
    names = ("http_response_time_seconds_sum", "http_request_duration_seconds_sum")
    for name in names:
        change(name, **labels)
    await client.get("/stream")
    first, last = (change(name, **labels) for name in names)
    assert last - first > 0.08


@pytest.mark.parametrize(("asked", "status"), [("GET /boom", 500), ("POST /background?fail=1", 202)])
async def test_the_server_keeps_the_connection_after_a_whole_answer(
    client: httpx.AsyncClient, lines: Any, asked: str, status: int
) -> None:
    # a transport that raises what uvicorn would close the connection for
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(client._transport.app), base_url="http://test"
    ) as strict:
        assert (await strict.request(*asked.split())).status_code == status
    assert "ERROR" in [line["level"] for line in lines()]


async def test_an_answer_that_breaks_off_counts_as_500(client: httpx.AsyncClient, change: Change, lines: Any) -> None:
    labels = {"method": "GET", "route": "/stream", "status_code": "500"}
    change("http_requests_total", **labels)
    with pytest.raises(RuntimeError, match="broke off"):  # what uvicorn sees, and closes the connection for
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(client._transport.app), base_url="http://test"
        ) as strict:
            await strict.get("/stream?fail=1")
    assert change("http_requests_total", **labels) == 1
    assert [line["meta"]["event"] for line in lines()] == ["request.started", "request.failed"]


async def test_background_work_is_not_part_of_the_request_and_its_failure_is_logged(
    client: httpx.AsyncClient, change: Change, lines: Any
) -> None:
    labels = {"method": "POST", "route": "/background", "status_code": "202"}
    for name in ("http_requests_total", "http_request_duration_seconds_sum"):
        change(name, **labels)
    await client.post("/background?fail=1")
    assert change("http_requests_total", **labels) == 1
    assert change("http_request_duration_seconds_sum", **labels) < 0.5
    events = [(line["level"], line["meta"]["event"]) for line in lines()]
    assert events == [("INFO", "request.started"), ("INFO", "request.completed"), ("ERROR", "background.failed")]


async def test_a_failed_request_has_one_error_line_with_its_stack(client: httpx.AsyncClient, lines: Any) -> None:
    response = await client.get("/boom?a=1", headers={"user-agent": "tester"})
    started, failed = lines()
    assert started["requestId"] == failed["requestId"] == response.headers["x-request-id"]
    assert failed["message"] == "GET /boom?a=1 500"
    assert failed["level"] == "ERROR"
    meta = failed["meta"]
    assert meta["error"]["type"] == "RuntimeError"
    assert "in boom" in meta["error"]["stack"]
    assert {"event", "method", "url", "route", "status", "ip", "userAgent", "responseTime", "error"} == set(meta)
    assert (meta["status"], meta["ip"], meta["userAgent"]) == (500, "127.0.0.1", "tester")


async def test_the_user_is_in_the_answers_line_from_threads_too(client: httpx.AsyncClient, lines: Any) -> None:
    body = (await client.post("/v1/outer/t/inner/5")).json()
    await client.get("/mine")
    seen = lines()
    assert [line.get("userId") for line in seen] == [None, "user-5", None, "u-42"]
    assert seen[1]["meta"]["userId"] == "user-5"
    assert body["request"] == seen[0]["requestId"]


@pytest.mark.parametrize("given", ["abcdef-123456", "A" * 128, "72d3b2bb-a369-47a9-b992-c0b452a0702c"])
async def test_a_well_formed_request_id_is_kept(client: httpx.AsyncClient, given: str) -> None:
    assert (await client.get("/both", headers={"x-request-id": given})).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["short", "x" * 129, "has space in it", "line\\nbreak-line", "ünïcödé-long".encode()])
async def test_an_ill_formed_request_id_is_replaced(client: httpx.AsyncClient, given: Any) -> None:
    answered = (await client.get("/both", headers={"x-request-id": given})).headers["x-request-id"]
    assert uuid.UUID(answered).version == 7


async def test_health_checks_leave_no_line_unless_they_fail(client: httpx.AsyncClient, lines: Any) -> None:
    await client.get("/healthz")
    await client.get("/metrics")
    await client.get("/healthz?fail=1")
    assert [line["message"] for line in lines()] == ["GET /healthz?fail=1 503"]


async def test_made_up_paths_and_methods_make_a_handful_of_series(tmp_path: Any) -> None:
    def series() -> int:
        return sum(len(list(family.samples)) for family in REGISTRY.collect() if family.name.startswith("http_"))

    dice = random.Random(6)
    app, before = make_app(tmp_path), series()
    for number in range(10_000):
        method = f"M{number}" if number % 2 else dice.choice(sorted(METHODS))
        path = f"/{dice.getrandbits(64):x}/{number}"
        scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": [], "root_path": ""}
        sent = await talk(app, scope, {"type": "http.request"})
        assert sent[0]["status"] == 404
    # Each standard method, and `_OTHER`: a counter, and the buckets, sum and count of two histograms.
    assert series() - before <= (len(METHODS) + 1) * (1 + (13 + 2) + (14 + 2))


async def test_error_handlers_see_the_request_id(client: httpx.AsyncClient) -> None:
    response = await client.get("/teapot")
    assert response.json()["id"] == response.headers["x-request-id"]


async def test_requests_do_not_share_context(client: httpx.AsyncClient) -> None:
    ids = {str(n): client.get("/teapot", headers={"x-request-id": f"request-{n:04}"}) for n in range(50)}
    answers = await asyncio.gather(*ids.values())
    assert [answer.json()["id"] for answer in answers] == [f"request-{n:04}" for n in range(50)]
    assert current() is None


async def talk(app: FastAPI, scope: dict[str, Any], *incoming: dict[str, Any]) -> list[Any]:
    waiting, sent = list(incoming), []

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


async def test_a_websocket_has_a_context_and_is_no_http_request(tmp_path: Any) -> None:
    scope = {"type": "websocket", "path": "/ws/blue", "query_string": b"", "root_path": "", "scheme": "ws"}
    scope |= {"headers": [(b"x-request-id", b"from-the-client")], "client": ("127.0.0.1", 1), "subprotocols": []}
    total = sum(sample.value for family in http_requests.collect() for sample in family.samples)
    sent = await talk(make_app(tmp_path), scope, {"type": "websocket.connect"})
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert '"request":"from-the-client"' in sent[1]["text"]
    assert REGISTRY.get_sample_value("http_requests_in_progress") == 0
    assert sum(sample.value for family in http_requests.collect() for sample in family.samples) == total


async def test_the_lifespan_passes_through(tmp_path: Any) -> None:
    incoming = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}
    sent = await talk(make_app(tmp_path), {"type": "lifespan", "state": {}}, *incoming)
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_metrics_speak_both_languages_and_begin_at_zero(client: httpx.AsyncClient) -> None:
    plain = await client.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    modern = await client.get("/metrics", headers={"accept": "application/openmetrics-text;version=1.0.0"})
    assert modern.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert modern.text.endswith("# EOF\n")
    assert 'http_requests_total{method="POST",route="/background",status_code="202"}' in plain.text
    assert "_created" not in plain.text


async def test_exemplars_carry_the_trace_id_of_sampled_requests(client: httpx.AsyncClient, spans: Any) -> None:
    await client.get("/both")
    span = spans.get_finished_spans()[0]
    text = (await client.get("/metrics", headers={"accept": "application/openmetrics-text;version=1.0.0"})).text
    assert f'# {{trace_id="{span.context.trace_id:032x}"}}' in text


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True),
        ("00-4bf92f3577b34da6a3ce929d0e0e4737-00f067aa0ba902b7-03", True),  # sampled, with a random id
        ("00-4bf92f3577b34da6a3ce929d0e0e4738-00f067aa0ba902b7-00", False),  # not sampled
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", False),
        ('00-"} 1\n# forged 4bf92f3577b34da6a3ce92-00f067aa0ba902b7-01', False),
        ("00-nothing-01", False),
    ],
)
async def test_without_spans_here_an_exemplar_is_the_callers_sampled_trace(
    client: httpx.AsyncClient,
    given: str,
    kept: bool,  # noqa: FBT001 - a parameter
) -> None:
    await client.get("/mine", headers={"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01"})
    assert "a" * 32 in await exemplars(client)
    await client.get("/mine", headers={"traceparent": given.replace("\n", " ")})
    assert (given.split("-")[1] in await exemplars(client)) is kept


async def exemplars(client: httpx.AsyncClient) -> str:
    accept = {"accept": "application/openmetrics-text;version=1.0.0"}
    lines = (await client.get("/metrics", headers=accept)).text.splitlines()
    return "\n".join(line for line in lines if 'route="/mine"' in line and " # " in line)
