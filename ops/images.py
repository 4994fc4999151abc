"""Stand-ins for the official images, built from distribution packages for machines without an image registry.

What docker-compose.yml and the Dockerfiles name behind `${REGISTRY-}` and a folder of images/ can build, becomes
`packages/<official name>:<tag>`. An image is built again when its recipe changed, and only then.
"""

import argparse
import contextlib
import hashlib
import json
import re
import signal
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from types import FrameType

from ops import image_build, mirrors
from ops.console import OpsError, item, step
from ops.image_build import RECIPE_LABEL, VERSION_LABEL, Build
from ops.image_progress import Progress
from ops.shell import BUILD, ROOT

PREFIX = "packages/"
VERSIONS = BUILD / "image-versions.json"
SIDE_BY_SIDE = 3
"""Builds at a time: one compiles, the others mostly wait for downloads."""
SECONDS = {
    "jaeger": 400,
    "mailpit": 90,
    "postgres": 40,
    "elasticsearch": 35,
    "debian": 30,
    "python": 15,
    "prometheus": 15,
}
"""How long builds took on two processors, the longest first: they start in this order."""
_OTHER_SECONDS = 10


@dataclass(frozen=True)
class Image:
    """An official image and the folder that builds its stand-in."""

    official: str  # "prom/prometheus:v3.5.3"
    folder: Path

    @property
    def name(self) -> str:
        """What people call it: the folder's name."""
        return self.folder.name

    @property
    def tag(self) -> str:
        """The stand-in's tag."""
        return PREFIX + self.official

    @property
    def pinned(self) -> str:
        """The version number in the tag; empty where the tag has none."""
        found = re.search(r"\d+(\.\d+)+", self.official.partition(":")[2])
        return found.group() if found else ""

    @cached_property
    def parents(self) -> set[str]:
        """The stand-ins that this one is made from, as tags."""
        return set(re.findall(rf"^FROM ({PREFIX}\S+)", self._dockerfile(), re.MULTILINE))

    def files(self) -> list[Path]:
        """List what the recipe is made of: its folder, and the scripts of images/common that it mounts."""
        used = [
            self.folder,
            *(self.folder.parent / path for path in re.findall(r"source=([^,\s]+)", self._dockerfile())),
        ]
        return sorted(path for part in used for path in (part, *part.rglob("*")) if path.is_file())

    def _dockerfile(self) -> str:
        path = self.folder / "Dockerfile"
        return path.read_text(encoding="utf-8") if path.exists() else ""


@dataclass(frozen=True)
class Drift:
    """A stand-in whose version is not the one that docker-compose.yml pins."""

    image: str
    pinned: str
    built: str

    def __str__(self) -> str:
        return f"{self.image}: pinned {self.pinned}, the packages give {self.built}"


def wanted(root: Path = ROOT) -> list[Image]:
    """List the images the project names that images/ can build, parents first, then the longest build first."""
    named: set[str] = set()
    for path in (root / "docker-compose.yml", *sorted(root.glob("*/Dockerfile"))):
        named |= set(re.findall(r"(?:image:|FROM) \$\{REGISTRY-?\}(\S+:\S+)", path.read_text(encoding="utf-8")))
    for path in sorted(root.glob("images/*/Dockerfile")):
        named |= set(re.findall(rf"^FROM {PREFIX}(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    images = [
        Image(official, folder)
        for official in named
        if (folder := root / "images" / official.partition(":")[0].rpartition("/")[2]).is_dir()
    ]
    twice = {image.name for image in images if sum(other.name == image.name for other in images) > 1}
    if twice:
        tags = ", ".join(sorted(image.official for image in images if image.name in twice))
        raise OpsError(
            f"an image is pinned to two versions: {tags}", "make docker-compose.yml and the Dockerfiles agree"
        )
    return sorted(images, key=lambda image: (bool(image.parents), -_seconds(image), image.name))


def _seconds(image: Image) -> float:
    return SECONDS.get(image.name, _OTHER_SECONDS)


def recipes(images: Iterable[Image]) -> dict[str, str]:
    """Give each tag's hash over all that decides what is in the image; `images` has parents before children."""
    found: dict[str, str] = {}
    for image in images:
        parts = [image.tag, *sorted(found[parent] for parent in image.parents)]
        if not image.parents:
            parts.append(image_build.archive())
        for path in image.files():
            parts += [path.relative_to(image.folder.parent).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()]
        found[image.tag] = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return found


def build(only: str = "", *, force: bool = False) -> list[Drift]:
    """Build what is missing or out of date; give the versions that are not the pinned ones.

    `only` is one image's name; what it is made from comes with it. Raises OpsError naming every image that failed.
    """
    images = wanted()
    if only:
        images = _with_parents(images, only)
    hashes = recipes(images)
    labels = image_build.labels([image.tag for image in images])
    stale = [
        image
        for image in images
        if labels.get(image.tag, {}).get(RECIPE_LABEL) != hashes[image.tag] or (force and only in {"", image.name})
    ]
    if stale:
        step(f"Images from packages: {len(stale)} to build, {len(images) - len(stale)} up to date")
        mirrors.write_secrets()
        _build_all(stale, hashes, force=force)
        labels = image_build.labels([image.tag for image in images])
    else:
        step(f"Images from packages: all {len(images)} up to date")
    _record(images, labels)
    found = drift()
    for one in found:
        item(f"! {one}")
    return found


def _with_parents(images: list[Image], name: str) -> list[Image]:
    chosen = [image for image in images if image.name == name]
    if not chosen:
        raise OpsError(f"there is no image called {name}", f"take one of: {', '.join(image.name for image in images)}")
    return [image for image in images if image in chosen or image.tag in chosen[0].parents]


def _build_all(images: list[Image], hashes: dict[str, str], *, force: bool) -> None:
    """Build side by side, each as soon as what it is made from is there."""
    progress = Progress({image.name: _seconds(image) for image in images}, SIDE_BY_SIDE)
    waiting = list(images)
    running: dict[Future[None], Image] = {}
    failed: dict[str, OpsError] = {}
    with _ending_on_signals(), ThreadPoolExecutor(SIDE_BY_SIDE) as pool, progress:
        try:
            while waiting or running:
                pending = {image.tag for image in waiting} | {image.tag for image in running.values()}
                for image in [image for image in waiting if not image.parents & pending]:
                    if len(running) == SIDE_BY_SIDE:
                        break
                    waiting.remove(image)
                    job = Build(image.name, image.tag, image.folder, hashes[image.tag], fresh=force)
                    running[pool.submit(job.run)] = image
                    progress.started(job)
                done, _ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
                for future in done:
                    image = running.pop(future)
                    try:
                        future.result()
                    except OpsError as error:
                        failed[image.name] = error
                    progress.finished(image.name, failed=image.name in failed)
                    if image.name in failed:
                        waiting = [other for other in waiting if image.tag not in other.parents]
                progress.show()
        except BaseException:
            image_build.stop_all()
            raise
    if len(failed) == 1:
        raise next(iter(failed.values()))
    if failed:
        raise OpsError(
            f"{len(failed)} images could not be built: {', '.join(failed)}",
            "put right what the lines above say, then try again: what is done is kept",
            "\n".join(str(error) for error in failed.values()),
        )


@contextlib.contextmanager
def _ending_on_signals() -> Iterator[None]:
    """Let a kill and a closed terminal end the builds too, which run in sessions of their own."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _record(images: list[Image], labels: dict[str, dict[str, str]]) -> None:
    """Write down what was built, for `drift` to be asked without an engine."""
    known = json.loads(VERSIONS.read_text()) if VERSIONS.exists() else {}
    for image in images:
        built = labels.get(image.tag, {}).get(VERSION_LABEL, "")
        known[image.name] = asdict(Drift(image.official, image.pinned, built))
    VERSIONS.parent.mkdir(exist_ok=True)
    VERSIONS.write_text(json.dumps(known, indent=2) + "\n")


def drift(path: Path = VERSIONS) -> list[Drift]:
    """List the stand-ins whose version is not the pinned one, as of the last build; `make test` repeats them."""
    if not path.exists():
        return []
    known = [Drift(**entry) for entry in json.loads(path.read_text()).values()]
    return [one for one in known if one.pinned and not same_version(one.pinned, one.built)]


def same_version(pinned: str, built: str) -> bool:
    """Tell whether `built` is `pinned`, or a release of it where the pin is only "3.13"."""
    return built.split(".")[: len(pinned.split("."))] == pinned.split(".")


def main(argv: list[str] | None = None) -> int:
    """Run `python3 -m ops.images`, for work on one image; `make images` calls `build`."""
    parser = argparse.ArgumentParser(prog="python3 -m ops.images", description="build stand-in images from packages")
    parser.add_argument("--only", default="", metavar="NAME", help="one image, and what it is made from")
    parser.add_argument("--force", action="store_true", help="build even what is up to date, without caches")
    options = parser.parse_args(argv)
    try:
        build(options.only, force=options.force)
    except OpsError as error:
        print(f"make images: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on where this left off", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
