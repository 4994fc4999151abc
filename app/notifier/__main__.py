"""`python -m notifier`: serve the notifier."""

import uvicorn

from notifier.app import create_app
from notifier.database import claimed
from notifier.settings import NotifierSettings
from observability.settings import read_settings


def main() -> None:
    """Serve until SIGTERM; pages that are being sent get their time to be taken."""
    settings = read_settings(NotifierSettings)
    with claimed(settings.notifier_database):
        uvicorn.run(
            create_app(settings),
            host=settings.host,
            port=settings.port,
            log_config=None,  # observability has set logging up
            access_log=False,  # the middleware writes a better one
            server_header=False,
            timeout_graceful_shutdown=5,
        )


if __name__ == "__main__":
    main()
