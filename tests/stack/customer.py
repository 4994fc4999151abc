"""A customer of the shop whose every request can be found again: it chooses the request's id and the trace's."""

import copy
import secrets
import uuid
from dataclasses import dataclass
from typing import Any

import requests
from clients import TIMEOUT, Http

GOOD_CARD = "4242424242424242"
DECLINED_CARD = "4000000000000002"


@dataclass(frozen=True)
class Answer:
    """What the shop answered, and the ids the request carried."""

    status: int
    body: Any
    headers: requests.structures.CaseInsensitiveDict[str]
    request_id: str
    trace_id: str


class Customer:
    """Registered and logged in from the start."""

    def __init__(self, shop: Http) -> None:
        self.shop = shop
        self.email = f"marker-{secrets.token_hex(8)}@example.com"
        password = secrets.token_urlsafe(12)
        registered = self.request("POST", "/users", {"email": self.email, "password": password, "name": "标记"})
        assert registered.status == requests.codes.created, registered.body
        self.user_id: str = registered.body["id"]
        login = self.request("POST", "/sessions", {"email": self.email, "password": password})
        assert login.status == requests.codes.created, login.body
        self.token: str = login.body["token"]

    def elsewhere(self) -> "Customer":
        """The same customer on a connection of its own, for another thread."""
        made = copy.copy(self)
        made.shop = Http(self.shop.url)
        return made

    def request(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        """One request under /api/v1, with ids of its own and a new idempotency key unless one is given."""
        request_id, trace_id = uuid.uuid4().hex, secrets.token_hex(16)
        headers = {
            "X-Request-ID": request_id,
            "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01",
            "Idempotency-Key": key or uuid.uuid4().hex,
        }
        if hasattr(self, "token"):
            headers["Authorization"] = f"Bearer {self.token}"
        answer = self.shop.session.request(
            method, f"{self.shop.url}/api/v1{path}", json=body, headers=headers, timeout=TIMEOUT
        )
        return Answer(
            answer.status_code, answer.json() if answer.content else None, answer.headers, request_id, trace_id
        )

    def any_product(self) -> str:
        """The id of a product that can be ordered."""
        products = self.request("GET", "/products?limit=50").body["items"]
        return next(str(product["id"]) for product in products if product["available"])

    def order(self, product_id: str | None = None, quantity: int = 1) -> Answer:
        """Create an order."""
        item = {"product_id": product_id or self.any_product(), "quantity": quantity}
        return self.request("POST", "/orders", {"items": [item]})

    def pay(self, order_id: str, card: str = GOOD_CARD, *, key: str | None = None) -> Answer:
        """Pay for an order."""
        body = {"card_number": card, "expiry": "12/30", "cvc": "123"}
        return self.request("POST", f"/orders/{order_id}/payment", body, key=key)
