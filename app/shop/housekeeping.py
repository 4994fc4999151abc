"""What the shop does without being asked: deliveries arrive, unpaid orders lapse, lost payments are looked up."""

import asyncio

from observability import get_logger, traced
from shop.catalog.service import receive_deliveries
from shop.dependencies import Shop
from shop.orders.cancellation import cancel_unpaid_orders, settle_lost_payments

_log = get_logger(__name__)


async def keep_house(shop: Shop) -> None:
    """Run until cancelled. Each replica does it; what one has done, the others find done."""
    while True:
        await asyncio.sleep(shop.settings.housekeeping_interval_seconds)
        try:
            with traced("keepHouse"):
                await keep_house_once(shop)
        except Exception:  # noqa: BLE001 - a database that is away now is back at the next round
            _log.exception("Housekeeping failed, next round as planned")


async def keep_house_once(shop: Shop) -> None:
    """Do one round."""
    delivered = await receive_deliveries(shop.database, shop.cache)
    settled = await settle_lost_payments(shop.database, shop.gateway)
    lapsed = await cancel_unpaid_orders(shop.database, shop.cache, shop.settings.order_payment_window_seconds)
    if delivered or settled or lapsed:
        _log.info("Housekeeping done", delivered=delivered, settled=settled, lapsed=lapsed)
