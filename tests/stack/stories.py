"""Scripted orders: what a customer asks for, step by step, and the answer that each step must get."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from clients import Http, Stack
from customer import DECLINED_CARD, GOOD_CARD, Answer, Customer

AT_ONCE = 16  # customers


@dataclass(frozen=True)
class Step:
    """A request, the answer it must get, and the status that it brings the order to, if any."""

    path: str
    status: int
    becomes: str | None = None
    card: str | None = None
    span: str | None = None
    key: str | None = None  # "same" repeats the key of the step before


CREATE = Step("/orders", 201, "created", span="createOrder")
REPEAT = Step("/orders", 201, span="createOrder", key="same")
PAY = Step("/orders/{order}/payment", 200, "paid", GOOD_CARD, "processPayment")
PAY_AGAIN = Step("/orders/{order}/payment", 200, None, GOOD_CARD, "processPayment", "same")
DECLINE = Step("/orders/{order}/payment", 402, "payment_failed", DECLINED_CARD, "processPayment")
DECLINE_AGAIN = Step("/orders/{order}/payment", 402, None, DECLINED_CARD, "processPayment")
PAY_TOO_LATE = Step("/orders/{order}/payment", 409, None, GOOD_CARD, "processPayment")
COMPLETE = Step("/orders/{order}/completion", 200, "completed")
COMPLETE_AGAIN = Step("/orders/{order}/completion", 200)
COMPLETE_TOO_EARLY = Step("/orders/{order}/completion", 409)
CANCEL = Step("/orders/{order}/cancellation", 200, "cancelled")
CANCEL_TOO_LATE = Step("/orders/{order}/cancellation", 409)
SOLD_OUT = Step("/orders", 409, span="createOrder")

STORIES = {
    (CREATE,): 100,
    (CREATE, REPEAT): 40,
    (CREATE, PAY): 180,
    (CREATE, PAY, PAY_AGAIN, COMPLETE): 60,
    (CREATE, PAY, COMPLETE): 200,
    (CREATE, PAY, COMPLETE, COMPLETE_AGAIN): 20,
    (CREATE, PAY, CANCEL_TOO_LATE): 20,
    (CREATE, PAY, PAY_TOO_LATE): 20,
    (CREATE, COMPLETE_TOO_EARLY, CANCEL): 20,
    (CREATE, CANCEL): 80,
    (CREATE, CANCEL, PAY_TOO_LATE): 20,
    (CREATE, DECLINE): 60,
    (CREATE, DECLINE, PAY): 60,
    (CREATE, DECLINE, DECLINE_AGAIN, PAY, COMPLETE): 20,
    (CREATE, DECLINE, CANCEL): 40,
    (SOLD_OUT,): 60,
}


@dataclass(frozen=True)
class Told:
    """A step that was taken: its answer, and the order it is about (None: refused before there was one)."""

    step: Step
    answer: Answer
    order_id: str | None


def tell(customer: Customer, story: tuple[Step, ...], product_id: str) -> list[Told]:
    """Take a story's steps one after another, each with the answer it must get."""
    told: list[Told] = []
    order_id, key = None, None
    for step in story:
        wanted: dict[str, Any] | None = None
        if step.path == "/orders":
            wanted = {"items": [{"product_id": product_id, "quantity": 1}]}
        elif step.card:
            wanted = {"card_number": step.card, "expiry": "12/39", "cvc": "123"}
        key = key if step.key == "same" else f"{time.time_ns()}-{id(told)}"
        answer = customer.request("POST", step.path.format(order=order_id), wanted, key=key)
        assert answer.status == step.status, (step, answer.body)
        if step is CREATE:
            order_id = str(answer.body["id"])
        elif step is REPEAT:
            assert answer.body["id"] == order_id
        told.append(Told(step, answer, order_id))
    return told


def tell_all(stack: Stack, sold_out: str) -> list[Told]:
    """Take every story as often as the table says, in a mixed order, by a few customers at once."""
    stories = [story for story, times in STORIES.items() for _ in range(times)]
    stories = [stories[index * 389 % len(stories)] for index in range(len(stories))]  # mixed: 389 and 1000 are coprime
    products = Customer(stack.shop).request("GET", "/products?limit=100").body["items"]
    available = [product["id"] for product in products if product["available"] and product["id"] != sold_out]

    def work(number: int) -> list[Told]:
        customer = Customer(Http(stack.shop.url))
        return [
            told
            for index in range(number, len(stories), AT_ONCE)
            for told in tell(
                customer, stories[index], sold_out if SOLD_OUT in stories[index] else available[index % len(available)]
            )
        ]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [told for part in pool.map(work, range(AT_ONCE)) for told in part]
