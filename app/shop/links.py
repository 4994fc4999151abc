"""OpenAPI links: which operation may follow an answer, and with what of it, for readers and for programs."""

from typing import Any

_GOOD_CARD = {"card_number": "4242424242424242", "expiry": "12/39", "cvc": "123"}
_DECLINED_CARD = {**_GOOD_CARD, "card_number": "4000000000000002"}


Links = dict[str, dict[str, Any]]


def link(operation: str, *, body: Any = None, **parameters: str) -> dict[str, Any]:
    """Return a link to an operation; values are literal or expressions such as `$response.body#/id`."""
    found: dict[str, Any] = {"operationId": operation}
    if parameters:
        found["parameters"] = parameters
    if body is not None:
        found["requestBody"] = body
    return found


def with_product(product_id: str) -> Links:
    """Return what can be done with a product."""
    return {
        "look": link("get_product", product_id=product_id),
        "putIntoCart": link("put_item", product_id=product_id, body={"quantity": 1}),
        "order": link("create_order", body={"items": [{"product_id": product_id, "quantity": 1}]}),
    }


def with_order(order_id: str) -> Links:
    """Return what can be done with an order; its status decides whether it works."""
    return {
        "look": link("get_order", order_id=order_id),
        "pay": link("pay", order_id=order_id, body=_GOOD_CARD),
        "payWithDeclinedCard": link("pay", order_id=order_id, body=_DECLINED_CARD),
        "complete": link("complete_order", order_id=order_id),
        "cancel": link("cancel_order", order_id=order_id),
    }
