"""The shop's settings: environment variables, read once at start."""

from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator
from sqlalchemy import URL

from observability.settings import Settings

Port = Annotated[int, Field(ge=1, le=65535)]


class ShopSettings(Settings):
    """Without any of them the shop runs alone: SQLite, a cache in the process, a payment gateway in the process."""

    host: str = "0.0.0.0"  # noqa: S104 - a container is reached from outside of itself
    port: Port = 3000

    postgres_host: str | None = None
    postgres_port: Port = 5432
    postgres_db: str = "shop"
    postgres_user: str = "shop"
    postgres_password: SecretStr | None = None
    sqlite_path: str = "shop.db"
    # three replicas of 10 leave room for exporters and people under PostgreSQL's default of 100 connections
    database_pool_size: Annotated[int, Field(ge=1, le=100)] = 10
    # long enough for a flash sale's queue at one product; then a request is better told "busy" (503) than kept
    database_pool_timeout_seconds: Annotated[float, Field(gt=0)] = 10.0

    redis_host: str | None = None
    redis_port: Port = 6379
    redis_password: SecretStr | None = None

    # signs the login tokens (HS256); every replica needs the same one
    token_key: SecretStr | None = None
    token_lifetime_seconds: Annotated[int, Field(ge=60)] = 3600

    payments_gateway_url: str | None = None

    # an order that nobody pays gives its stock back after this
    order_payment_window_seconds: Annotated[int, Field(ge=60)] = 1800
    # how often deliveries arrive, and unpaid orders are looked for
    housekeeping_interval_seconds: Annotated[float, Field(ge=1)] = 30.0

    @model_validator(mode="after")
    def _replicas_share_a_key(self) -> Self:
        if self.postgres_host and not self.token_key:
            raise ValueError("TOKEN_KEY_FILE must be set when POSTGRES_HOST is: every replica signs with the same key")
        if self.token_key and len(self.token_key.get_secret_value()) < 32:  # noqa: PLR2004 - RFC 7518 section 3.2
            raise ValueError("TOKEN_KEY must have at least 32 characters (RFC 7518: a key as long as the hash)")
        return self

    @property
    def database_url(self) -> URL:
        """PostgreSQL where POSTGRES_HOST is set, else the SQLite file SQLITE_PATH."""
        if not self.postgres_host:
            return URL.create("sqlite+aiosqlite", database=self.sqlite_path)
        password = self.postgres_password.get_secret_value() if self.postgres_password else None
        return URL.create(
            "postgresql+asyncpg",
            username=self.postgres_user,
            password=password,
            host=self.postgres_host,
            port=self.postgres_port,
            database=self.postgres_db,
        )
