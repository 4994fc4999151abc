"""What the payments' routes take."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from shop.fields import RequestModel


def passes_luhn(number: str) -> bool:
    """Return whether the number's check digit is right (ISO/IEC 7812-1, annex B)."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _check_number(number: SecretStr) -> SecretStr:
    text = number.get_secret_value()
    if not (text.isascii() and text.isdigit() and passes_luhn(text)):
        raise ValueError("not a card number: 12 to 19 digits, the last of them the check digit")
    return number


def _check_cvc(cvc: SecretStr) -> SecretStr:
    text = cvc.get_secret_value()
    if not (text.isascii() and text.isdigit()):
        raise ValueError("not a card's security code: 3 or 4 digits")
    return cvc


class Card(RequestModel):
    """The card to charge. It is passed on, never stored, never logged."""

    card_number: Annotated[
        SecretStr, Field(min_length=12, max_length=19, examples=["4242424242424242"]), AfterValidator(_check_number)
    ]
    expiry: Annotated[
        str, StringConstraints(pattern=r"^(0[1-9]|1[0-2])/[0-9]{2}$"), Field(description="MM/YY", examples=["12/30"])
    ]
    cvc: Annotated[SecretStr, Field(min_length=3, max_length=4, examples=["123"]), AfterValidator(_check_cvc)]
