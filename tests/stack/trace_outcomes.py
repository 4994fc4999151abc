"""What may become of an order, request by request: the answer, and the trace that it must leave, span for span.

See trace_outline.py for how to read an outline. A second outline of an outcome is the other trace that it may leave.
"""

from dataclasses import dataclass
from textwrap import dedent


@dataclass(frozen=True)
class Outcome:
    """The status of the answer, and the outlines that its trace may have."""

    status: int
    outlines: tuple[str, ...]


def outcome(status: int, *outlines: str) -> Outcome:
    """Make one of indented texts."""
    return Outcome(status, tuple(dedent(text).strip() for text in outlines))


# Only the last piece that is sold changes the lists of products, which are forgotten by a new generation in the cache.
_CREATED, _CREATED_LAST = (
    f"""
    ecommerce-api    server POST /api/v1/orders
    ecommerce-api      internal createOrder
    ecommerce-api        client INSERT orders
    ecommerce-api        client SELECT products
    ecommerce-api        client SELECT orders
    ecommerce-api        client SELECT order_items
    ecommerce-api        client UPDATE orders
    ecommerce-api        client INSERT order_transitions
    ecommerce-api        client INSERT order_items
    ecommerce-api        internal reserveStock
    ecommerce-api          client UPDATE products
    ecommerce-api        client DEL{sold_out}
    ecommerce-api      internal sendOrderNotification ~createOrder
    ecommerce-api        client INSERT notifications
    """
    for sold_out in ("", "\n    ecommerce-api        client SET")
)

OUTCOMES = {
    "created": outcome(201, _CREATED),
    "created at the flash sale": outcome(201, _CREATED, _CREATED_LAST),
    "created from a cart of two": outcome(
        201,
        """
        ecommerce-api    server POST /api/v1/orders
        ecommerce-api      internal createOrder
        ecommerce-api        client INSERT orders
        ecommerce-api        client DELETE cart_items
        ecommerce-api        client SELECT products
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        ecommerce-api        client UPDATE orders
        ecommerce-api        client INSERT order_transitions
        ecommerce-api        client BATCH INSERT order_items
        ecommerce-api        internal reserveStock
        ecommerce-api          client UPDATE products
        ecommerce-api          client UPDATE products
        ecommerce-api        client DEL
        ecommerce-api      internal sendOrderNotification ~createOrder
        ecommerce-api        client INSERT notifications
        """,
    ),
    "put into the cart": outcome(
        200,
        """
        ecommerce-api    server PUT /api/v1/cart/items/{product_id}
        ecommerce-api      internal putCartItem
        ecommerce-api        client SELECT products
        ecommerce-api        client INSERT cart_items
        ecommerce-api        client SELECT cart_items
        ecommerce-api        client SELECT products
        """,
    ),
    "repeated with its key": outcome(
        201,
        """
        ecommerce-api    server POST /api/v1/orders
        ecommerce-api      internal createOrder
        ecommerce-api        client INSERT orders
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        """,
    ),
    "another order with the same key": outcome(
        422,
        """
        ecommerce-api    server POST /api/v1/orders
        ecommerce-api      internal createOrder -IdempotencyKeyReused
        ecommerce-api        client INSERT orders
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        """,
    ),
    "out of stock": outcome(
        409,
        """
        ecommerce-api    server POST /api/v1/orders
        ecommerce-api      internal createOrder -OutOfStock
        ecommerce-api        client INSERT orders
        ecommerce-api        client SELECT products
        """,
        # when others take the last pieces between the look and the reservation
        """
        ecommerce-api    server POST /api/v1/orders
        ecommerce-api      internal createOrder -OutOfStock
        ecommerce-api        client INSERT orders
        ecommerce-api        client SELECT products
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        ecommerce-api        client UPDATE orders
        ecommerce-api        client INSERT order_transitions
        ecommerce-api        client INSERT order_items
        ecommerce-api        internal reserveStock -OutOfStock
        ecommerce-api          client UPDATE products
        """,
    ),
    "no such product": outcome(
        404,
        """
        ecommerce-api    server POST /api/v1/orders
        ecommerce-api      internal createOrder -NoSuchProduct
        ecommerce-api        client INSERT orders
        ecommerce-api        client SELECT products
        """,
    ),
    "empty cart": outcome(
        409,
        """
        ecommerce-api    server POST /api/v1/orders
        ecommerce-api      internal createOrder -EmptyOrder
        ecommerce-api        client INSERT orders
        ecommerce-api        client DELETE cart_items
        """,
    ),
    "invalid input": outcome(422, "ecommerce-api    server POST /api/v1/orders"),
    "not logged in": outcome(401, "ecommerce-api    server POST /api/v1/orders"),
    "the shop fails": outcome(500, "ecommerce-api    server POST /api/v1/orders !InjectedError +exception"),
    "no orders are taken": outcome(
        503,
        """
        ecommerce-api    server POST /api/v1/orders !503
        ecommerce-api      internal createOrder !ServiceBusy +exception
        """,
    ),
    "paid": outcome(
        200,
        """
        ecommerce-api    server POST /api/v1/orders/{order_id}/payment
        ecommerce-api      internal processPayment
        ecommerce-api        client SELECT payments
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        ecommerce-api        client SELECT payments
        ecommerce-api        client INSERT payments
        ecommerce-api        client POST
        payments-gateway       server POST /v1/charges
        payments-gateway         internal chargeCard
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        ecommerce-api        client SELECT payments
        ecommerce-api        internal updateOrderStatus
        ecommerce-api          client UPDATE orders
        ecommerce-api          client INSERT order_transitions
        ecommerce-api          client UPDATE payments
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        """,
    ),
    "paid, asked again with its key": outcome(
        200,
        """
        ecommerce-api    server POST /api/v1/orders/{order_id}/payment
        ecommerce-api      internal processPayment
        ecommerce-api        client SELECT payments
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        ecommerce-api        client SELECT payments
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        """,
    ),
    "declined": outcome(
        402,
        """
        ecommerce-api    server POST /api/v1/orders/{order_id}/payment
        ecommerce-api      internal processPayment -CardDeclined
        ecommerce-api        client SELECT payments
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        ecommerce-api        client SELECT payments
        ecommerce-api        client INSERT payments
        ecommerce-api        client POST
        payments-gateway       server POST /v1/charges
        payments-gateway         internal chargeCard
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        ecommerce-api        client SELECT payments
        ecommerce-api        internal updateOrderStatus
        ecommerce-api          client UPDATE orders
        ecommerce-api          client INSERT order_transitions
        ecommerce-api          client UPDATE payments
        """,
    ),
    "declined, asked again with its key": outcome(
        402,
        """
        ecommerce-api    server POST /api/v1/orders/{order_id}/payment
        ecommerce-api      internal processPayment -CardDeclined
        ecommerce-api        client SELECT payments
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        ecommerce-api        client SELECT payments
        """,
    ),
    "declined once more": outcome(
        402,
        """
        ecommerce-api    server POST /api/v1/orders/{order_id}/payment
        ecommerce-api      internal processPayment -CardDeclined
        ecommerce-api        client SELECT payments
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        ecommerce-api        client SELECT payments
        ecommerce-api        client INSERT payments
        ecommerce-api        client POST
        payments-gateway       server POST /v1/charges
        payments-gateway         internal chargeCard
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        ecommerce-api        client SELECT payments
        ecommerce-api        client UPDATE payments
        """,
    ),
    "paid already, or cancelled": outcome(
        409,
        """
        ecommerce-api    server POST /api/v1/orders/{order_id}/payment
        ecommerce-api      internal processPayment -WrongStatus
        ecommerce-api        client SELECT payments
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        ecommerce-api        client SELECT payments
        """,
    ),
    "no such order": outcome(
        404,
        """
        ecommerce-api    server POST /api/v1/orders/{order_id}/payment
        ecommerce-api      internal processPayment -NoSuchOrder
        ecommerce-api        client SELECT payments
        ecommerce-api        client SELECT orders
        """,
    ),
    "the gateway is away": outcome(
        503,
        """
        ecommerce-api    server POST /api/v1/orders/{order_id}/payment !503
        ecommerce-api      internal processPayment !GatewayUnavailable +exception
        ecommerce-api        client SELECT payments
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        ecommerce-api        client SELECT payments
        ecommerce-api        client INSERT payments
        ecommerce-api        client POST !ConnectError +exception
        ecommerce-api        client POST !ConnectError +exception
        ecommerce-api        client POST !ConnectError +exception
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        ecommerce-api        internal updateOrderStatus
        ecommerce-api          client UPDATE orders
        ecommerce-api          client INSERT order_transitions
        """,
    ),
    "a payment has no outcome yet": outcome(
        409,
        """
        ecommerce-api    server POST /api/v1/orders/{order_id}/payment
        ecommerce-api      internal processPayment -PaymentInProgress
        ecommerce-api        client SELECT payments
        """,
    ),
    "completed": outcome(
        200,
        """
        ecommerce-api    server POST /api/v1/orders/{order_id}/completion
        ecommerce-api      internal completeOrder
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        ecommerce-api        internal updateOrderStatus
        ecommerce-api          client UPDATE orders
        ecommerce-api          client INSERT order_transitions
        """,
    ),
    "completed unpaid": outcome(
        409,
        """
        ecommerce-api    server POST /api/v1/orders/{order_id}/completion
        ecommerce-api      internal completeOrder -WrongStatus
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        """,
    ),
    "cancelled": outcome(
        200,
        """
        ecommerce-api    server POST /api/v1/orders/{order_id}/cancellation
        ecommerce-api      internal cancelOrder
        ecommerce-api        client SELECT payments
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        ecommerce-api        client SELECT shop
        ecommerce-api        internal updateOrderStatus
        ecommerce-api          client UPDATE orders
        ecommerce-api          client UPDATE products
        ecommerce-api          client INSERT order_transitions
        ecommerce-api        client DEL
        ecommerce-api        client SET
        """,
    ),
    "cancelled when paid": outcome(
        409,
        """
        ecommerce-api    server POST /api/v1/orders/{order_id}/cancellation
        ecommerce-api      internal cancelOrder -WrongStatus
        ecommerce-api        client SELECT payments
        ecommerce-api        client SELECT orders
        ecommerce-api        client SELECT order_items
        ecommerce-api        client SELECT shop
        """,
    ),
    "looked at": outcome(
        200,
        """
        ecommerce-api    server GET /api/v1/orders/{order_id}
        ecommerce-api      client SELECT orders
        ecommerce-api      client SELECT order_items
        """,
    ),
}
