"""`python -m shop`: serve the shop."""

import uvicorn

from observability.settings import read_settings
from shop.app import create_app
from shop.settings import ShopSettings


def main() -> None:
    """Serve until SIGTERM; running requests get ten seconds to finish."""
    settings = read_settings(ShopSettings)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,  # observability has set logging up; uvicorn's would print every line twice
        access_log=False,  # the middleware writes a better one
        server_header=False,
        # longer than proxies keep idle connections (Caddy: 120 s), or they would use one that is being closed
        timeout_keep_alive=125,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
