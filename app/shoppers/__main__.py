"""`python -m shoppers`: send customers to SHOP_URL until SIGTERM."""

import uvicorn

from observability.settings import read_settings
from shoppers.app import create_app
from shoppers.settings import ShopperSettings


def main() -> None:
    """Serve /metrics, and send customers meanwhile."""
    settings = read_settings(ShopperSettings)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,  # observability has set logging up
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
