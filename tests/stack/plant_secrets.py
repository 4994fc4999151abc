"""Logs every secret it is given, in every way a line can come to hold one. Runs in a container of the app's image.

docker compose run … app python - '{"name": "secret", …}' MARKER <plant_secrets.py
"""

import json
import logging
import sys

from observability import logs
from observability.settings import LogSettings, read_settings

SECRETS: dict[str, str] = json.loads(sys.argv[1])
MARKER = sys.argv[2]
TEXTS = (
    "password={}",
    '{{"user": "x", "password": "{}"}}',
    r'{{"body": "{{\"client_secret\": \"{}\"}}"}}',
    "https://shop.test/reset?token={}&x=1",
    "postgresql://shop:{}@postgres:5432/shop",
    "Authorization: Bearer {}",
    "Cookie: visit=1; session={}; theme=dark",
    "DB_PASSWORD='{}'",
    "x-api-key: {}",
    "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
)
KEYS = ("password", "accessToken", "Authorization", "Set-Cookie", "card_number", "cvc", "api_key", "otp")


def main() -> None:
    """Log each secret by a text and by a key of its own."""
    logs.configure(read_settings(LogSettings), "log-proof")
    log = logs.get_logger("proof.secrets")
    library = logging.getLogger("proof.secrets")
    for number, secret in enumerate(SECRETS.values()):
        card = secret.isdigit()
        text = f"paid with {secret}" if card else TEXTS[number % len(TEXTS)].format(secret)
        key = KEYS[number % len(KEYS)]
        deep = {"list": [text, {key: secret}]}
        log.info(text, marker=MARKER, value=text, deep=deep, raw=text.encode(), **{key: secret})
        log.bind(bound=text).warning("bound")
        library.warning("%s", text, extra={"more": text, key: secret})
        library.error({"as": "a dictionary", key: secret, "text": text})
        try:
            raise ValueError(text)  # noqa: TRY301 - a line with a stack is what is wanted
        except ValueError:
            log.exception("failed")
            library.exception("failed %s", text)
    logs.shutdown(10)
    # when it has no writer, the library writes to stderr
    text = f"password={next(iter(SECRETS.values()))}"
    log.error(text)


main()
