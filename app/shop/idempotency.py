"""Idempotency keys: a request that is repeated with its key acts once."""

import hashlib
import hmac
from dataclasses import dataclass
from http import HTTPStatus
from typing import Self

from pydantic import BaseModel, SecretStr

from shop.problems import Problem


class IdempotencyKeyReused(Problem):
    """The key was used before, for another request."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "idempotency-key-reused"
    title = "This Idempotency-Key belongs to another request"


@dataclass(frozen=True, slots=True)
class Once:
    """A key, and the fingerprint of the request that came with it."""

    key: str
    fingerprint: str

    @classmethod
    def of(cls, key: str, request: BaseModel | None, *, secret: str) -> Self:
        """Take the fingerprint: a keyed hash, so that no card number can be guessed from what is stored."""
        body = "" if request is None else repr([(name, _plain(value)) for name, value in request])
        return cls(key, hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest())

    def check(self, stored_fingerprint: str) -> None:
        """Raise IdempotencyKeyReused when the key was stored for a different request."""
        if not hmac.compare_digest(stored_fingerprint, self.fingerprint):
            raise IdempotencyKeyReused(
                f"header.Idempotency-Key: {self.key!r} was used for a different request; make a new one for each"
            )


def _plain(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
