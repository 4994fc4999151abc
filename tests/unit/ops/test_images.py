import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ops import fetch, image_build, images, mirrors
from ops.choice import Choice
from ops.console import OpsError
from ops.image_build import Build
from ops.image_progress import Progress, time_left
from ops.shell import ROOT

NOT_PACKAGED = {"grafana", "kibana", "logstash"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "docker-compose.yml").write_text(
        "services:\n"
        "  a:\n    image: ${REGISTRY-}prom/thing:v1.2.3 # a comment\n"
        "  b:\n    image: ${REGISTRY-}kibana:9.2.8\n"
        "  c:\n    image: own/app:0.1.0\n"
    )
    for name, dockerfile in {
        "images/thing": "FROM packages/debian:stable\nRUN --mount=type=bind,source=common/apt,target=/apt true\n",
        "images/other": "FROM packages/debian:stable\nRUN true\n",
        "app": "ARG REGISTRY\nFROM ${REGISTRY}other:3.1-slim\n",
    }.items():
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "Dockerfile").write_text(dockerfile)
    for name in ("images/debian/build", "images/common/apt/install"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("#!/bin/sh\n")
    return tmp_path


def recipes(project: Path) -> dict[str, str]:
    return {tag.partition("/")[2]: recipe for tag, recipe in images.recipes(images.wanted(project)).items()}


def test_what_compose_and_the_dockerfiles_name_is_wanted_parents_first(project: Path) -> None:
    wanted = images.wanted(project)
    assert [image.tag for image in wanted] == [
        "packages/debian:stable",
        "packages/other:3.1-slim",
        "packages/prom/thing:v1.2.3",
    ]
    assert [image.pinned for image in wanted] == ["", "3.1", "1.2.3"]
    assert wanted[2].parents == {"packages/debian:stable"}


def test_an_image_pinned_twice_is_refused(project: Path) -> None:
    with (project / "docker-compose.yml").open("a") as file:
        file.write("  d:\n    image: ${REGISTRY-}prom/thing:v1.2.4\n")
    with pytest.raises(OpsError, match=r"two versions: prom/thing:v1\.2\.3, prom/thing:v1\.2\.4"):
        images.wanted(project)


def test_a_recipe_changes_with_its_own_folder_alone(project: Path) -> None:
    before = recipes(project)
    (project / "images/thing/docker-entrypoint.sh").write_text("exec thing\n")
    after = recipes(project)
    assert {tag for tag in before if before[tag] != after[tag]} == {"prom/thing:v1.2.3"}


def test_a_recipe_changes_with_the_scripts_it_mounts(project: Path) -> None:
    before = recipes(project)
    (project / "images/common/apt/install").write_text("#!/bin/sh\ntrue\n")
    after = recipes(project)
    assert {tag for tag in before if before[tag] != after[tag]} == {"prom/thing:v1.2.3"}


def test_every_recipe_changes_with_the_base(project: Path) -> None:
    before = recipes(project)
    (project / "images/debian/build").write_text("#!/bin/sh\ntrue\n")
    after = recipes(project)
    assert not {tag for tag in before if before[tag] == after[tag]}


def test_a_recipe_changes_with_the_pin(project: Path) -> None:
    before = recipes(project)
    compose = project / "docker-compose.yml"
    compose.write_text(compose.read_text().replace("v1.2.3", "v1.2.4"))
    assert recipes(project)["prom/thing:v1.2.4"] != before["prom/thing:v1.2.3"]


def test_every_image_of_this_project_can_be_built_or_is_known_to_be_missing() -> None:
    named = re.findall(r"image: \$\{REGISTRY-\}([^\s:]+)", (ROOT / "docker-compose.yml").read_text())
    folders = {path.name for path in (ROOT / "images").iterdir() if path.is_dir()} - {"common"}
    assert {name.rpartition("/")[2] for name in named} - NOT_PACKAGED <= folders
    assert folders == {image.name for image in images.wanted()}, "a folder that nothing names"


@pytest.mark.parametrize("image", [image for image in images.wanted() if image.parents], ids=lambda image: image.name)
def test_a_dockerfile_can_be_asked_for_its_version_and_says_what_the_official_image_is(image: images.Image) -> None:
    text = (image.folder / "Dockerfile").read_text()
    assert re.search(r"^LABEL stand-in\.version-command=", text, re.MULTILINE)
    assert text.startswith("# Stand-in for docker.io/")
    assert "\n# Official:" in text
    assert "\n# Here:" in text
    assert "# syntax=" not in text, "the engine's own front end builds it; another would have to be pulled"


@pytest.mark.parametrize("name", ["elasticsearch", "jaeger", "mailpit"])
def test_what_is_downloaded_by_version_is_the_pinned_version(name: str) -> None:
    (image,) = (image for image in images.wanted() if image.name == name)
    assert re.search(rf"[\s@=]v?{re.escape(image.pinned)}\b", (image.folder / "Dockerfile").read_text())


@pytest.mark.parametrize(
    ("pinned", "built", "same"),
    [
        ("3.13", "3.13.5", True),
        ("3.5.3", "3.5.3", True),
        ("3.5.3", "3.5.30", False),
        ("3.5.3", "3.6.0", False),
        ("3.5.3", "3.5", False),
        ("3.5.3", "", False),
    ],
)
def test_versions(pinned: str, built: str, same: bool) -> None:  # noqa: FBT001 - a column of the table
    assert images.same_version(pinned, built) is same


def test_drift_is_what_the_last_build_wrote(tmp_path: Path) -> None:
    path = tmp_path / "versions.json"
    assert images.drift(path) == []
    known = [("debian:stable", "", ""), ("redis:8.0.2", "8.0.2", "8.0.2"), ("prom/thing:v1.2.3", "1.2.3", "1.3.0")]
    path.write_text(
        json.dumps({name: {"image": name, "pinned": pinned, "built": built} for name, pinned, built in known})
    )
    assert [str(one) for one in images.drift(path)] == ["prom/thing:v1.2.3: pinned 1.2.3, the packages give 1.3.0"]


# ── one build, with a docker on the PATH that does what each test says ───────────────────────────────────────────────
def docker(folder: Path, monkeypatch: pytest.MonkeyPatch, build: str) -> Path:
    """Put a `docker` on the PATH whose `build` runs the given shell lines; returns the file that counts its calls."""
    calls = folder / "calls"
    script = folder / "bin" / "docker"
    script.parent.mkdir()
    script.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >>{calls}\n'
        'case "$1 $2" in\n'
        '"image inspect") printf \'["packages/thing:v1"]\\t{"stand-in.version-command":"thing --version"}\\n\' ;;\n'
        '"run --rm") echo "thing, version 1.2.3+ds1 (go1.27)" ;;\n'
        f'"build --tag") cat >>{calls} ;;\n'
        f"*) {build}\n;;\nesac\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{script.parent}:/usr/bin:/bin")
    monkeypatch.setattr(image_build, "LOGS", folder / "logs")
    monkeypatch.setattr(image_build, "PAUSE_SECONDS", 0)
    return calls


def build_of(folder: Path) -> Build:
    (folder / "thing").mkdir()
    return Build("thing", "packages/thing:v1", folder / "thing", "cafe")


def test_a_build_asks_for_the_version_and_labels_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = docker(tmp_path, monkeypatch, "true")
    build_of(tmp_path).run()
    *_, label, fed = calls.read_text().splitlines()
    assert "--label=stand-in.recipe=cafe" in label
    assert "--label=org.opencontainers.image.version=1.2.3" in label
    assert fed == "FROM packages/thing:v1"


BROKEN = (
    'echo "#8 [build 2/3] RUN fetch"; echo "#8 1.2 curl: (56) reset by peer"; echo "#8 ERROR: exit code: 56"; exit 1'
)


def test_a_broken_download_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, f"if [ ! -e {tmp_path}/once ]; then touch {tmp_path}/once; {BROKEN}; fi")
    build = build_of(tmp_path)
    build.run()
    assert build.attempt == 2


def test_a_download_that_stays_broken_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = docker(tmp_path, monkeypatch, BROKEN)
    with pytest.raises(OpsError) as caught:
        build_of(tmp_path).run()
    assert caught.value.problem == "image thing: a download broke 3 times at [build 2/3] RUN fetch"
    assert caught.value.details == "curl: (56) reset by peer"
    assert "package mirrors" in caught.value.remedy
    assert str(tmp_path / "logs" / "image-thing.log") in caught.value.remedy
    assert len(calls.read_text().splitlines()) == 3


def test_a_broken_recipe_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = docker(
        tmp_path,
        monkeypatch,
        'echo "#8 [2/3] RUN make"; echo "#9 [3/3] COPY"; echo "#8 1.2 no rule"; echo "#8 ERROR: x"; exit 2',
    )
    with pytest.raises(OpsError) as caught:
        build_of(tmp_path).run()
    assert caught.value.problem == "image thing could not be built at [2/3] RUN make"
    assert caught.value.details == "no rule"
    assert len(calls.read_text().splitlines()) == 1


def test_a_full_disk_is_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, "echo 'write /var/lib/docker/x: no space left on device'; exit 1")
    with pytest.raises(OpsError, match="the disk is full"):
        build_of(tmp_path).run()


def test_a_kill_ends_the_builds_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    docker(tmp_path, monkeypatch, f"echo $$ >{tmp_path}/pid; exec sleep 60")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    code = (
        "import pathlib, sys\n"
        "from ops import image_build, images\n"
        "image_build.LOGS = pathlib.Path(sys.argv[1]) / 'logs'\n"
        "image = images.Image('thing:v1', pathlib.Path(sys.argv[1]) / 'images' / 'thing')\n"
        "images._build_all([image], {image.tag: 'cafe'}, force=False)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, project], stdout=subprocess.DEVNULL) as builder:
        pid = tmp_path / "pid"
        deadline = time.monotonic() + 20
        while not (pid.exists() and pid.read_text().strip()) and time.monotonic() < deadline:
            time.sleep(0.05)
        builder.terminate()
        assert builder.wait(20) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_user_who_may_not_make_the_base_is_told_how() -> None:
    said = "E: unable to pick chroot mode automatically (use --mode for manual selection)\n"
    error = image_build.failure("debian", said, Path("log"), broken_transfer=False)
    assert "may not make a root file system" in error.problem
    assert "--add-subuids" in error.remedy


def test_the_last_thing_a_build_said(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert image_build.current_step(log) == ""
    log.write_text("#7 DONE 22.5s\n#8 [build 3/3] RUN go\n#8 sha256:abc\n#8 0.403 downloading it\n\n")
    assert image_build.current_step(log) == "downloading it"


def test_no_mmdebstrap_and_no_right_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OpsError, match="mmdebstrap, which is not installed"):
        image_build.require_mmdebstrap()


# ── what a person sees ───────────────────────────────────────────────────────────────────────────────────────────────
def test_time_left(tmp_path: Path) -> None:
    progress = Progress({"long": 400, "short": 10, "other": 20}, side_by_side=2)
    assert progress.left(0) == 400
    progress.started(build_of(tmp_path))  # "thing", which nobody estimated, is not counted
    assert [time_left(seconds) for seconds in (0, 4, 84, 400)] == [
        "takes longer than usual",
        "about 10 s left",
        "about 80 s left",
        "about 7 min left",
    ]


def test_without_a_terminal_progress_is_plain_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ops.image_progress.PLAIN_SECONDS", 0)
    with Progress({"thing": 60}, side_by_side=2) as progress:
        progress.started(build_of(tmp_path))
        progress.show()
        progress.finished("thing", failed=False)
        progress.show()
    first, second = capsys.readouterr().out.splitlines()
    assert first == "  0 of 1 built, about 60 s left; now: thing 0 s"
    assert re.fullmatch(r"  ✓ thing +0 s", second)


# ── mirrors ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("of", "found"),
    [("*", True), ("central", True), ("external:*", True), ("*,!central", False), ("snapshots", False)],
)
def test_mavens_mirror(tmp_path: Path, of: str, found: bool) -> None:  # noqa: FBT001 - a column of the table
    settings = tmp_path / "settings.xml"
    settings.write_text(
        '<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0"><mirrors><mirror><id>m</id>'
        f"<mirrorOf>{of}</mirrorOf><url>https://mirror.example.com/maven</url></mirror></mirrors></settings>"
    )
    assert mirrors.maven_mirror(settings) == ("https://mirror.example.com/maven" if found else "")


def test_no_or_broken_maven_settings_mean_the_default(tmp_path: Path) -> None:
    assert mirrors.maven_mirror(tmp_path / "none.xml") == ""
    (tmp_path / "settings.xml").write_text("<settings>")
    assert mirrors.maven_mirror(tmp_path / "settings.xml") == ""


def test_mirrors_are_shell_assignments_that_survive_any_character(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "https://user:p$a'ss@mirror.example.com/go|direct"
    monkeypatch.setattr(mirrors, "BUILD", tmp_path)
    monkeypatch.setattr(mirrors, "CA", tmp_path / "ca.pem")
    monkeypatch.setattr(mirrors, "MIRRORS", tmp_path / "mirrors")
    monkeypatch.setenv("GOPROXY", address)
    mirrors.write_secrets()
    assert stat.S_IMODE((tmp_path / "mirrors").stat().st_mode) == 0o600
    said = subprocess.run(
        ["sh", "-c", '. "$0"; printf %s "$GOPROXY"', tmp_path / "mirrors"], capture_output=True, text=True, check=True
    )
    assert said.stdout == address


def test_every_build_is_told_of_the_proxies_by_name_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = docker(tmp_path, monkeypatch, "true")
    for name in mirrors.PROXIES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://user:password@proxy.example.com:3128")
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.example.com/simple")  # set on the way, so that it is undone
    monkeypatch.setattr(images, "build", lambda: build_of(tmp_path).run())
    monkeypatch.setattr(mirrors, "write_secrets", lambda: None)
    monkeypatch.setattr(fetch, "BUILD", tmp_path)
    fetch.obtain(Choice(images.PREFIX, (), ""), {"services": {"app": {"build": {}, "image": "own/app:1"}}})
    said = calls.read_text()
    builds = [call for call in said.splitlines() if call.startswith("build --progress") or call.endswith(" app")]
    assert len(builds) == 2, "from packages, and by compose"
    assert all("--build-arg https_proxy " in call and call.count("--build-arg") == 1 for call in builds)
    assert "password" not in said


# ── the scripts of the images ────────────────────────────────────────────────────────────────────────────────────────
SCRIPTS = [
    path for path in sorted((ROOT / "images").rglob("*")) if path.is_file() and path.read_bytes().startswith(b"#!")
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_script_can_be_run_and_parsed(script: Path) -> None:
    assert script.stat().st_mode & stat.S_IXUSR
    shell = script.read_text().partition("\n")[0].rpartition("/")[2]
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    subprocess.run([shell, "-n", script], check=True)


def test_the_command_line_refuses_an_unknown_image(capsys: pytest.CaptureFixture[str]) -> None:
    assert images.main(["--only", "nonesuch"]) == 1
    assert "there is no image called nonesuch" in capsys.readouterr().err


def test_stdlib_only() -> None:
    for name in ("images", "image_build", "image_progress", "mirrors"):
        imported = re.findall(r"^(?:from|import) (\w+)", (ROOT / "ops" / f"{name}.py").read_text(), re.MULTILINE)
        assert set(imported) - {"ops"} <= sys.stdlib_module_names
