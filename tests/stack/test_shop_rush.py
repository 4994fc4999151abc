"""A rush: many customers at one moment, and requests that come twice. Nothing is sold, returned or charged twice."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from clients import Http, Stack
from customer import Answer, Customer
from shelf import left

BUYERS = 200
PIECES = 50
REPEATS = 20

pytestmark = pytest.mark.usefixtures("shoppers_off")  # who would buy the pieces that are counted


def at_once(customers: Sequence[Customer], ask: Callable[[Customer], Answer]) -> list[Answer]:
    """Let all of them ask at the same moment, each on a connection of its own; one may be named several times."""
    start = threading.Barrier(len(customers))

    def one(customer: Customer) -> Answer:
        here = customer.elsewhere()
        start.wait(timeout=60)
        return ask(here)

    with ThreadPoolExecutor(len(customers)) as pool:
        return list(pool.map(one, customers))


@pytest.fixture(scope="module")
def buyers(stack: Stack) -> list[Customer]:
    """Registered a few at a time: the shop hashes no more than two passwords at once."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: Customer(Http(stack.shop.url)), range(BUYERS)))


def stock(stack: Stack, product_id: str) -> int:
    [[pieces]] = stack.postgres.rows(f"SELECT stock FROM products WHERE id = '{product_id}'")
    return int(pieces)


def test_the_last_pieces_are_sold_once_and_come_back_once(stack: Stack, buyers: list[Customer]) -> None:
    with left(stack, PIECES) as product_id:
        answers = at_once(buyers, lambda buyer: buyer.order(product_id))
        assert Counter(answer.status for answer in answers) == {201: PIECES, 409: BUYERS - PIECES}
        assert {answer.body["type"] for answer in answers if answer.status == 409} == {
            "urn:ecommerce:problem:out-of-stock"
        }
        assert stock(stack, product_id) == 0
        ids = [answer.body["id"] for answer in answers if answer.status == 201]
        users = ",".join(f"'{buyer.user_id}'" for buyer in buyers)
        [[orders, pieces, transitions]] = stack.postgres.rows(
            "SELECT count(DISTINCT o.id), sum(i.quantity), count(DISTINCT t.id) FROM orders o"
            " LEFT JOIN order_items i ON i.order_id = o.id LEFT JOIN order_transitions t ON t.order_id = o.id"
            f" WHERE o.user_id IN ({users})"
        )
        assert (int(orders), int(pieces), int(transitions)) == (PIECES, PIECES, PIECES)
        assert len(set(ids)) == PIECES

        bought = {
            buyer.user_id: answer.body["id"]
            for buyer, answer in zip(buyers, answers, strict=True)
            if answer.status == 201
        }
        owners = [buyer for buyer in buyers if buyer.user_id in bought]
        cancelled = at_once(
            owners * 2, lambda owner: owner.request("POST", f"/orders/{bought[owner.user_id]}/cancellation")
        )
        assert Counter(answer.status for answer in cancelled) == {200: 2 * PIECES}
        assert stock(stack, product_id) == PIECES


def test_a_repeated_order_is_one_order(stack: Stack) -> None:
    key = uuid.uuid4().hex
    buyer = Customer(stack.shop)
    with left(stack, REPEATS) as product_id:
        wanted = {"items": [{"product_id": product_id, "quantity": 1}]}
        answers = at_once([buyer] * REPEATS, lambda buyer: buyer.request("POST", "/orders", wanted, key=key))
        answers.append(buyer.request("POST", "/orders", wanted, key=key))
        assert {answer.status for answer in answers} == {201}
        assert len({answer.body["id"] for answer in answers}) == 1
        assert stock(stack, product_id) == REPEATS - 1
        another = buyer.request("POST", "/orders", {"items": [{"product_id": product_id, "quantity": 2}]}, key=key)
        assert another.status == 422
        assert stock(stack, product_id) == REPEATS - 1


def charges(stack: Stack, order_id: str) -> list[list[str]]:
    """What the gateway's own book has of an order's payments: the charge's id and its outcome."""
    ids = [row[0] for row in stack.postgres.rows(f"SELECT id FROM payments WHERE order_id = '{order_id}'")]
    keys = ",".join(f"'{key}'" for key in ids)
    return stack.gateway.rows(f"SELECT charge_id, status FROM charges WHERE idempotency_key IN ({keys})")


def all_charges(stack: Stack) -> int:
    return int(stack.gateway.rows("SELECT count(*) FROM charges")[0][0])


@pytest.mark.parametrize("same_key", [True, False], ids=["one key", "a key each"])
def test_an_order_is_charged_once(stack: Stack, same_key: bool) -> None:  # noqa: FBT001 - pytest's
    buyer = Customer(stack.shop)
    order_id = buyer.order().body["id"]
    before = all_charges(stack)
    key = uuid.uuid4().hex
    answers = at_once([buyer] * REPEATS, lambda buyer: buyer.pay(order_id, key=key if same_key else None))
    answers.append(buyer.pay(order_id, key=key if same_key else None))
    statuses = Counter(answer.status for answer in answers)
    # with other keys it is another payment: refused while the first has no outcome, and once it has
    assert statuses == ({200: REPEATS + 1} if same_key else {200: 1, 409: REPEATS})
    assert {answer.body["status"] for answer in answers if answer.status == 200} == {"paid"}
    [[charge_id, status]] = charges(stack, order_id)
    assert status == "approved"
    assert all_charges(stack) == before + 1
    in_postgresql = stack.postgres.rows(f"SELECT charge_id, status FROM payments WHERE order_id = '{order_id}'")
    assert in_postgresql == [[charge_id, "approved"]]
    paid = stack.postgres.rows(f"SELECT status FROM order_transitions WHERE order_id = '{order_id}' ORDER BY at")
    assert paid == [["created"], ["paid"]]
