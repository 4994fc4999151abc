"""Gets every image that the services need: pulled, or built from packages; then the two that are always built here."""

import os
import subprocess
import sys
import time
from typing import Any

from ops import compose, images, mirrors
from ops.choice import Choice
from ops.console import OpsError, item, step
from ops.shell import BUILD, ROOT, run, run_long

_PULL_ATTEMPTS = 3


def obtain(choice: Choice, resolved: dict[str, Any]) -> None:
    """Get what is missing. Raises OpsError that names the image which could not be had."""
    if choice.is_packages:
        images.build()
    else:
        _pull(resolved)
    mirrors.write_secrets()
    # for this process alone: an index's address may have a password in it
    os.environ["PIP_INDEX_URL"] = mirrors.pip_index()
    step("Images of this project")
    for service, block in resolved["services"].items():
        if "build" in block:
            began = time.monotonic()
            run_long(
                compose.command("build", "--quiet", *mirrors.build_arguments(), service),
                log=BUILD / f"build-{service}.log",
                what=f"building {block['image']}",
                attempts=2,
            )
            item(f"✓ {block['image']:<44}{time.monotonic() - began:>4.0f} s")


def missing(resolved: dict[str, Any]) -> list[str]:
    """List the images that are not on this machine."""
    wanted = {service["image"] for service in resolved["services"].values()}
    return sorted(image for image in wanted if run(["docker", "image", "inspect", image]).returncode != 0)


def _pull(resolved: dict[str, Any]) -> None:
    step("Images from the registry")
    for image in sorted(set(compose.images(resolved).values())):
        if run(["docker", "image", "inspect", image]).returncode == 0:
            continue
        began = time.monotonic()
        for attempt in range(1, _PULL_ATTEMPTS + 1):
            # a person sees docker's own progress bars; a file gets one line
            quiet = [] if sys.stdout.isatty() else ["--quiet"]
            done = subprocess.run(
                ["docker", "pull", *quiet, image],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                stdout=None if not quiet else subprocess.DEVNULL,
                text=True,
                check=False,
            )
            if done.returncode == 0:
                item(f"✓ {image:<44}{time.monotonic() - began:>4.0f} s")
                break
            if attempt == _PULL_ATTEMPTS:
                raise OpsError(
                    f"{image} cannot be pulled",
                    "make up goes on with it; to build from packages instead: echo REGISTRY=packages/ >> .env",
                    done.stderr.strip(),
                )
            item(f"pulling {image} failed, trying again ({attempt + 1} of {_PULL_ATTEMPTS})")
            time.sleep(3 * attempt)
