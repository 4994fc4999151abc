from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest

from shop.dependencies import Shop
from shop.ids import new_id
from tests.unit.shop.conftest import PASSWORD

ACCOUNT = {"email": "Li.Lei@Example.com", "password": PASSWORD, "name": " 李雷 "}


async def test_registers_logs_in_and_knows_who_it_is(http: httpx.AsyncClient) -> None:
    created = await http.post("/api/v1/users", json=ACCOUNT)
    assert created.status_code == 201
    assert created.json()["email"] == "li.lei@example.com"
    assert created.json()["name"] == "李雷"
    assert PASSWORD not in created.text

    session = await http.post("/api/v1/sessions", json={"email": "LI.LEI@example.com", "password": PASSWORD})
    assert session.status_code == 201
    expires_at = datetime.fromisoformat(session.json()["expires_at"])
    assert timedelta(minutes=59) < expires_at - datetime.now(UTC) <= timedelta(hours=1)

    me = await http.get("/api/v1/users/me", headers={"Authorization": f"Bearer {session.json()['token']}"})
    assert me.json() == created.json()


async def test_an_email_has_one_account(http: httpx.AsyncClient) -> None:
    await http.post("/api/v1/users", json=ACCOUNT)
    again = await http.post("/api/v1/users", json={**ACCOUNT, "email": "li.lei@example.com"})
    assert again.status_code == 409
    assert again.json()["type"] == "urn:ecommerce:problem:email-taken"


async def test_a_wrong_password_and_an_unknown_email_get_the_same_answer(http: httpx.AsyncClient) -> None:
    await http.post("/api/v1/users", json=ACCOUNT)
    wrong = await http.post("/api/v1/sessions", json={"email": ACCOUNT["email"], "password": "not the password"})
    unknown = await http.post("/api/v1/sessions", json={"email": "nobody@example.com", "password": PASSWORD})
    assert wrong.status_code == unknown.status_code == 401
    assert {**wrong.json(), "requestId": ""} == {**unknown.json(), "requestId": ""}


async def test_wrong_fields_are_named_and_not_repeated(http: httpx.AsyncClient) -> None:
    for field, value in (
        ("email", "not an email"),
        ("email", "a" * 250 + "@example.com"),
        ("email", None),
        ("password", "short"),
        ("password", "x" * 129),
        ("name", "   "),
        ("name", "two\nlines"),
        ("name", "nul\x00"),
        ("nickname", "what is this"),
    ):
        answer = await http.post("/api/v1/users", json={**ACCOUNT, field: value})
        assert answer.status_code == 422, (field, value)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["requestId"] == answer.headers["x-request-id"]
        assert [error["field"] for error in answer.json()["errors"]] == [f"body.{field}"]
        assert PASSWORD not in answer.text


async def test_a_body_that_is_no_json_is_the_clients_error(http: httpx.AsyncClient) -> None:
    for body in (b"", b"{", b"[]", b"\xff\xfe", b'{"email": "\\ud800"}'):
        answer = await http.post("/api/v1/users", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in {400, 422}, body
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_huge_body_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/v1/users", json={**ACCOUNT, "name": "x" * 100_000})
    assert answer.status_code == 413


async def test_tokens_that_do_not_hold_are_refused(http: httpx.AsyncClient, shop: Shop) -> None:
    user_id, now = str(new_id()), datetime.now(UTC)
    good = {"sub": user_id, "aud": "shop", "exp": now + timedelta(hours=1)}
    tokens = {
        "expired": jwt.encode({**good, "exp": now - timedelta(seconds=1)}, shop.tokens.key),
        "signed by somebody else": jwt.encode(good, "another key of sufficient length, this is"),
        "for another audience": jwt.encode({**good, "aud": "bank"}, shop.tokens.key),
        "without an end": jwt.encode({"sub": user_id, "aud": "shop"}, shop.tokens.key),
        "of no user": jwt.encode({**good, "sub": "1; drop table"}, shop.tokens.key),
        "unsigned": jwt.encode(good, None, "none"),
        "no token": "x",
        "of a user that is gone": jwt.encode(good, shop.tokens.key),
    }
    for name, token in tokens.items():
        answer = await http.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401, name
        assert answer.json()["type"] == "urn:ecommerce:problem:not-logged-in"
        assert answer.headers["www-authenticate"] == "Bearer"
    nothing = await http.get("/api/v1/users/me")
    assert nothing.status_code == 401


@pytest.mark.usefixtures("customer")
async def test_passwords_are_stored_as_argon2(shop: Shop) -> None:
    async with shop.database.engine.connect() as connection:
        stored = (await connection.exec_driver_sql("SELECT password_hash FROM users")).scalar_one()
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
