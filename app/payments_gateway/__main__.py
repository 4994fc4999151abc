"""`python -m payments_gateway`: serve the gateway."""

import uvicorn

from observability.settings import read_settings
from payments_gateway.api import create_api
from payments_gateway.settings import GatewaySettings


def main() -> None:
    """Serve until SIGTERM; charges that are being made get ten seconds to finish."""
    settings = read_settings(GatewaySettings)
    uvicorn.run(
        create_api(settings, observed=True),
        host=settings.host,
        port=settings.port,
        log_config=None,  # observability has set logging up
        access_log=False,  # the middleware writes a better one
        server_header=False,
        timeout_keep_alive=65,  # longer than clients keep idle connections, or they would use one that is being closed
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
