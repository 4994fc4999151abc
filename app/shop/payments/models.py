"""The table of payments."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shop.database import Base, utc_now
from shop.ids import new_id


class PaymentStatus(StrEnum):
    """`pending`: no outcome known yet; `abandoned`: the gateway never saw it, another may take its place."""

    PENDING = "pending"
    APPROVED = "approved"
    DECLINED = "declined"
    ABANDONED = "abandoned"


class Payment(Base):
    """An attempt to pay. Its id is the idempotency key at the gateway: it is charged once however often we ask."""

    __tablename__ = "payments"
    __table_args__ = (
        UniqueConstraint("order_id", "idempotency_key", name="payments_idempotency"),
        Index("payments_by_status_and_age", "status", "attempted_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    idempotency_key: Mapped[str] = mapped_column(String(128))
    fingerprint: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16), default=PaymentStatus.PENDING.value)
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    charge_id: Mapped[str | None] = mapped_column(String(64))
    decline_code: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    attempted_at: Mapped[datetime] = mapped_column(default=utc_now)
