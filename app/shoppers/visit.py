"""What happens in a visit. The chances are an online shop's: one visit in six ends with an order."""

from collections import deque
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shoppers.customer import Customer, GivesUp

API = "/api/v1"
CATEGORIES = (
    *("手机数码", "电脑办公", "家用电器", "食品生鲜", "服饰鞋包"),
    *("美妆个护", "家居家装", "运动户外", "图书文娱", "母婴玩具"),
)
WORDS = ("键盘", "耳机", "咖啡", "T 恤", "保温杯", "积木", "台灯", "跑鞋", "面膜", "显示器", "没有这种东西")
GOOD_CARD = "4242424242424242"
BAD_CARDS = ("4000000000000002", "4000000000009995", "4000000000000069")
PASSWORD = "a shopper's password"  # noqa: S105 - of accounts that are made up

SEARCHES = 0.4
BUYS = 0.25
IS_NEW = 0.2
MISTYPES = 0.04
ORDERS = 0.8
CANCELS = 0.08
LEAVES_UNPAID = 0.05
CARD_DECLINED = 0.06
TRIES_OTHER_CARD = 0.7
CONFIRMS = 0.7


@dataclass(frozen=True, slots=True)
class Account:
    """A customer known to the shop."""

    email: str


class Accounts:
    """Customers that can come back: the last few hundred."""

    def __init__(self, run: str, keep: int = 500) -> None:
        self._run = run  # accounts of an earlier run are in the shop's database still
        self._known: deque[Account] = deque(maxlen=keep)
        self._made = 0

    def new(self) -> Account:
        """Return an account that the shop does not know yet."""
        self._made += 1
        return Account(f"shopper-{self._run}-{self._made}@example.com")

    def add(self, account: Account) -> None:
        """Remember that the shop knows it now."""
        self._known.append(account)

    def pick(self, customer: Customer) -> Account | None:
        """Return one of the known; None when there is none or a new one is due."""
        if not self._known or customer.chance(IS_NEW):
            return None
        return customer.dice.choice(self._known)


async def visit(customer: Customer, accounts: Accounts) -> str:
    """Visit the shop; return how it ended (see tally.ENDS)."""
    try:
        product_ids = await _browse(customer)
        if not product_ids or not customer.chance(BUYS):
            return "browsed"
        await _log_in(customer, accounts)
        return await _buy(customer, product_ids)
    except GivesUp:
        return "failed"


async def _browse(customer: Customer) -> list[str]:
    """Look around; return the ids of the products that were liked."""
    dice = customer.dice
    found = await customer.get(f"{API}/products", params={"category": dice.choice(CATEGORIES)})
    await customer.think()
    if customer.chance(SEARCHES):
        searched = await customer.get(f"{API}/products", params={"q": dice.choice(WORDS)})
        found = searched if searched["items"] else found
        await customer.think()
    available = [item["id"] for item in found["items"] if item["available"]]
    seen: list[str] = []
    for product_id in dice.sample(available, min(len(available), dice.randint(2, 7))):
        page = await customer.get(f"{API}/products/{product_id}")
        if page["stock"] > 0:
            seen.append(product_id)
        await customer.think()
    return seen


async def _log_in(customer: Customer, accounts: Accounts) -> None:
    account = accounts.pick(customer)
    if account is None:
        account = accounts.new()
        registration = {"email": account.email, "password": PASSWORD, "name": "顾客"}
        _check(await customer.post(f"{API}/users", registration))
        accounts.add(account)
    if customer.chance(MISTYPES):
        await customer.post(f"{API}/sessions", {"email": account.email, "password": "what was it again?"})
        await customer.think()
    answer = await customer.post(f"{API}/sessions", {"email": account.email, "password": PASSWORD})
    customer.log_in(_check(answer)["token"])


async def _buy(customer: Customer, product_ids: list[str]) -> str:
    dice = customer.dice
    for product_id in product_ids[: dice.randint(1, 3)]:
        await customer.put(f"{API}/cart/items/{product_id}", {"quantity": dice.choice((1, 1, 1, 2, 3))})
        await customer.think()
    await customer.get(f"{API}/cart")
    if not customer.chance(ORDERS):
        return "cart_left"
    order = _check(await customer.post(f"{API}/orders", key=_key(customer)))
    await customer.think()
    if customer.chance(CANCELS):
        _check(await customer.post(f"{API}/orders/{order['id']}/cancellation"))
        return "cancelled"
    if customer.chance(LEAVES_UNPAID):
        return "order_left"
    return await _pay(customer, order["id"])


async def _pay(customer: Customer, order_id: str) -> str:
    if customer.chance(CARD_DECLINED):
        await customer.post(
            f"{API}/orders/{order_id}/payment", _card(customer.dice.choice(BAD_CARDS)), key=_key(customer)
        )
        await customer.think()
        if not customer.chance(TRIES_OTHER_CARD):
            return "declined"
    _check(await customer.post(f"{API}/orders/{order_id}/payment", _card(GOOD_CARD), key=_key(customer)))
    await customer.get(f"{API}/orders/{order_id}")
    if customer.chance(CONFIRMS):
        await customer.think()
        _check(await customer.post(f"{API}/orders/{order_id}/completion"))
    return "paid"


def _card(number: str) -> dict[str, str]:
    return {"card_number": number, "expiry": "12/39", "cvc": "123"}


def _key(customer: Customer) -> str:
    # by the visit's dice, so that a repeated run asks the same
    return str(UUID(int=customer.dice.getrandbits(128), version=4))


def _check(answer: Any) -> Any:
    if not answer.is_success:
        raise GivesUp(f"HTTP {answer.status_code}")
    return answer.json()
