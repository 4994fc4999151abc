"""More than 200 orders with every outcome that an order may have, told to the running shop."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import shelf
from clients import Http, Stack, compose, eventually
from customer import DECLINED_CARD, Answer, Customer

from ops.faults import switches

AT_ONCE = 8
NOWHERE = "01930000-0000-7000-8000-00000000ffff"  # no product and no order has this id


@dataclass(frozen=True)
class Told:
    """One request: its outcome (trace_outcomes.py), who asked, and the answer."""

    outcome: str
    user_id: str | None
    answer: Answer


class Teller:
    """One customer, who tells one story after another and remembers all of it."""

    def __init__(self, stack: Stack, number: int) -> None:
        self.customer = Customer(Http(stack.shop.url))  # a session of its own: customers are asked in threads
        self.told: list[Told] = []
        shown = self.customer.request("GET", "/products?limit=50").body["items"]
        products = [product["id"] for product in shown if product["available"]]
        self.products = products[number:] + products[:number]  # or the first would soon be sold out

    def note(self, outcome: str, answer: Answer) -> Answer:
        """Remember an answer."""
        self.told.append(Told(outcome, self.customer.user_id, answer))
        return answer

    def created(self) -> str:
        """An order of one product; its id."""
        answer = self.note("created", self.customer.order(self.products[0]))
        assert answer.status == 201, answer.body
        return str(answer.body["id"])

    def paid(self) -> str:
        """An order that is paid; its id."""
        order = self.created()
        self.note("paid", self.customer.pay(order))
        return order

    def step(self, outcome: str, order: str, what: str) -> None:
        """`completion` or `cancellation` of the order."""
        self.note(outcome, self.customer.request("POST", f"/orders/{order}/{what}"))


def from_a_cart(teller: Teller) -> None:
    for product in teller.products[:2]:
        teller.note("put into the cart", teller.customer.request("PUT", f"/cart/items/{product}", {"quantity": 1}))
    teller.note("created from a cart of two", teller.customer.request("POST", "/orders"))
    teller.note("empty cart", teller.customer.request("POST", "/orders"))


def repeated(teller: Teller) -> None:
    key, items = uuid4().hex, [{"product_id": teller.products[0], "quantity": 1}]
    teller.note("created", teller.customer.request("POST", "/orders", {"items": items}, key=key))
    teller.note("repeated with its key", teller.customer.request("POST", "/orders", {"items": items}, key=key))
    items[0]["quantity"] = 2
    teller.note(
        "another order with the same key", teller.customer.request("POST", "/orders", {"items": items}, key=key)
    )


def completed(teller: Teller) -> None:
    order, key = teller.created(), uuid4().hex
    teller.note("paid", teller.customer.pay(order, key=key))
    teller.note("paid, asked again with its key", teller.customer.pay(order, key=key))
    teller.note("paid already, or cancelled", teller.customer.pay(order))
    teller.step("completed", order, "completion")
    teller.step("cancelled when paid", order, "cancellation")
    teller.note("looked at", teller.customer.request("GET", f"/orders/{order}"))


def cancelled(teller: Teller) -> None:
    order = teller.created()
    teller.step("completed unpaid", order, "completion")
    teller.step("cancelled", order, "cancellation")
    teller.note("paid already, or cancelled", teller.customer.pay(order))


def declined(teller: Teller) -> None:
    order, key = teller.created(), uuid4().hex
    teller.note("declined", teller.customer.pay(order, DECLINED_CARD, key=key))
    teller.note("declined, asked again with its key", teller.customer.pay(order, DECLINED_CARD, key=key))
    teller.note("declined once more", teller.customer.pay(order, DECLINED_CARD))
    teller.note("paid", teller.customer.pay(order))


def refused(teller: Teller) -> None:
    teller.note("invalid input", teller.customer.order(teller.products[0], quantity=0))
    teller.note("no such product", teller.customer.order(NOWHERE))
    teller.note("no such order", teller.customer.pay(NOWHERE))


def not_logged_in(teller: Teller) -> None:
    stranger = Customer.__new__(Customer)
    stranger.shop = teller.customer.shop
    teller.told.append(Told("not logged in", None, stranger.order(teller.products[0])))


STORIES: dict[Callable[[Teller], object], int] = {
    Teller.created: 14,
    Teller.paid: 2,
    from_a_cart: 2,
    repeated: 2,
    completed: 1,
    cancelled: 2,
    declined: 1,
    refused: 1,
    not_logged_in: 1,
}
"""Each story, and how often each customer tells it."""


def tell(stack: Stack) -> list[Told]:
    """Tell all of them."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tellers = list(pool.map(Teller, [stack] * AT_ONCE, range(AT_ONCE)))

        def everywhere(story: Callable[[Teller], object]) -> None:
            list(pool.map(story, tellers))

        for story, times in STORIES.items():
            for _ in range(times):
                everywhere(story)
        _flash_sale(stack, everywhere)
        faults = switches(stack.config)
        with faults.fault("errors", route="/api/v1/orders"):
            everywhere(_fails)
        with faults.fault("orders_stopped", route="/api/v1/orders"):
            everywhere(lambda teller: teller.note("no orders are taken", teller.customer.order(teller.products[0])))
        orders = {teller: teller.created() for teller in tellers}
        with _gateway_away():
            everywhere(lambda teller: teller.note("the gateway is away", teller.customer.pay(orders[teller])))
            everywhere(lambda teller: teller.note("a payment has no outcome yet", teller.customer.pay(orders[teller])))
    return [told for teller in tellers for told in teller.told]


def _fails(teller: Teller) -> None:
    answer = teller.customer.order(teller.products[0])
    teller.told.append(Told("the shop fails", None, answer))  # before it has read who asks


def _flash_sale(stack: Stack, everywhere: Callable[[Callable[[Teller], object]], None]) -> None:
    """Fewer pieces than buyers, all at once; then none is left."""
    with shelf.left(stack, AT_ONCE // 2) as product:

        def buy(teller: Teller) -> None:
            answer = teller.customer.order(product)
            teller.note("created at the flash sale" if answer.status == 201 else "out of stock", answer)

        everywhere(buy)
        everywhere(buy)


@contextmanager
def _gateway_away() -> Iterator[None]:
    compose("stop", "payments-gateway")
    try:
        yield
    finally:
        compose("start", "payments-gateway")
        eventually(
            lambda: "payments-gateway" in compose("ps", "--status", "running", "--services").split(),
            within=30,
            what="the gateway is back",
        )
