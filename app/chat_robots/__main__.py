"""`python -m chat_robots`: serve the stand-ins."""

import uvicorn

from chat_robots.api import create_api
from chat_robots.settings import RobotSettings
from observability.settings import read_settings


def main() -> None:
    """Serve until SIGTERM."""
    settings = read_settings(RobotSettings)
    # a robot that hangs on command must not hold up the end
    uvicorn.run(
        create_api(settings), host=settings.host, port=settings.port, log_level="warning", timeout_graceful_shutdown=1
    )


if __name__ == "__main__":
    main()
