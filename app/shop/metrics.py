"""The business instruments (defined in their help texts) and the typed snapshot computed from the same instruments."""

import math

from prometheus_client import Counter, Gauge, Histogram
from pydantic import BaseModel

from observability.metrics.models import BaseMetric, Snapshot
from observability.metrics.reading import average, ratio, total

ORDER_STATUSES = ("created", "paid", "completed", "cancelled", "payment_failed")

active_users = Gauge(
    "active_users",
    "Distinct logged-in users with a request in the last 5 minutes, over all replicas (each reports the same number: "
    "take max, not sum)",
)
active_users.set(math.nan)  # unknown until it has been counted
users_registered = Counter("users_registered_total", "Accounts created")
logins = Counter(
    "user_logins_total", "Login attempts by result: success, or failure (unknown email, wrong password)", ["result"]
)
visitor_sessions = Counter(
    "visitor_sessions_total",
    "Visits: requests to /api/v1 that came without the cookie `visit` (it lasts 30 minutes after the last request)",
)
orders = Counter(
    "orders_total",
    "Transitions of an order into a status: created (stock reserved), paid, completed, cancelled, payment_failed",
    ["status"],
)
order_value = Histogram(
    "order_value_cents",
    "Value of created orders in fen (1/100 CNY)",
    buckets=(1_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000),
)
payments = Counter(
    "payments_total",
    "Payment attempts by result: successful, declined (by the card's bank), error (the gateway gave no answer)",
    ["result"],
)
payment_duration = Histogram(
    "payment_duration_seconds",
    "Time the payment gateway took for a charge, retries included",
    buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10),
)
notifications = Counter("order_notifications_total", "Order confirmations written to the customer's inbox")
stock_shortages = Counter("stock_shortages_total", "Orders refused because a product had not enough stock")

# A counter that is born at 1 loses its first increase: begin at 0.
for _status in ORDER_STATUSES:
    orders.labels(_status)
for _result in ("success", "failure"):
    logins.labels(_result)
for _result in ("successful", "declined", "error"):
    payments.labels(_result)


class UserDetails(BaseModel):
    """Users since this process started; active over all replicas."""

    active: int | None
    new: int
    login_success: int
    login_failure: int


class OrderDetails(BaseModel):
    """Transitions into each status since this process started."""

    total: int
    paid: int
    completed: int
    cancelled: int
    payment_failed: int
    average_value_cents: float | None
    conversion_rate: float | None


class PaymentDetails(BaseModel):
    """Payment attempts since this process started."""

    total: int
    successful: int
    failed: int
    success_rate: float | None
    average_ms: float | None


class UsersMetric(BaseMetric):
    """value: active users."""

    details: UserDetails


class OrdersMetric(BaseMetric):
    """value: orders created."""

    details: OrderDetails


class PaymentsMetric(BaseMetric):
    """value: payment attempts."""

    details: PaymentDetails


class BusinessSnapshot(Snapshot):
    """What GET /api/v1/metrics/business answers."""

    users: UsersMetric
    orders: OrdersMetric
    payments: PaymentsMetric


def snapshot() -> BusinessSnapshot:
    """Compute the snapshot from the instruments' present values."""
    active = total(active_users)
    known = None if math.isnan(active) else int(active)
    created = int(total(orders, status="created"))
    attempts, successful = int(total(payments)), int(total(payments, result="successful"))
    seconds = average(payment_duration)
    return BusinessSnapshot(
        users=UsersMetric(
            name="users",
            value=known,
            unit="users",
            details=UserDetails(
                active=known,
                new=int(total(users_registered)),
                login_success=int(total(logins, result="success")),
                login_failure=int(total(logins, result="failure")),
            ),
        ),
        orders=OrdersMetric(
            name="orders",
            value=created,
            unit="orders",
            details=OrderDetails(
                total=created,
                paid=int(total(orders, status="paid")),
                completed=int(total(orders, status="completed")),
                cancelled=int(total(orders, status="cancelled")),
                payment_failed=int(total(orders, status="payment_failed")),
                average_value_cents=average(order_value),
                conversion_rate=ratio(created, total(visitor_sessions)),
            ),
        ),
        payments=PaymentsMetric(
            name="payments",
            value=attempts,
            unit="payments",
            details=PaymentDetails(
                total=attempts,
                successful=successful,
                failed=attempts - successful,
                success_rate=ratio(successful, attempts),
                average_ms=None if seconds is None else seconds * 1000,
            ),
        ),
    )
