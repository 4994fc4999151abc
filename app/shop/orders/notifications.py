"""Telling the customer that the order was taken: after the answer, in a span that links to the order's."""

from opentelemetry.trace import SpanContext

from observability import get_logger, traced
from shop import metrics
from shop.database import Database
from shop.orders.models import Notification, Order

_log = get_logger(__name__)


async def send_order_notification(database: Database, order: Order, created_in: SpanContext) -> None:
    """Put a confirmation into the customer's inbox. The order stands whether or not this works."""
    try:
        with traced("sendOrderNotification", links=[created_in], order_id=str(order.id), user_id=str(order.user_id)):
            text = f"您的订单 {order.id} 已提交，共 ¥{order.total_cents / 100:.2f}，请尽快付款。"
            async with database.transaction() as session:
                session.add(Notification(user_id=order.user_id, order_id=order.id, text=text))
            metrics.notifications.inc()
            _log.info("Order notification sent", orderId=str(order.id))
    except Exception:  # noqa: BLE001 - the answer has been sent; all that is left is to say so
        _log.exception("Order notification was not sent", orderId=str(order.id))
