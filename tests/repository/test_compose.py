"""docker-compose.yml and Dockerfile: pinned, healthy or done, and set up by settings that exist."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PINNED = re.compile(r"^[a-z0-9./-]+:\d+(\.\d+)+[a-z0-9.-]*$")


def is_one_shot(name: str) -> bool:
    """A service that others await to complete; it is never started again."""
    awaited = {
        (other, condition["condition"])
        for service in SERVICES.values()
        for other, condition in service.get("depends_on", {}).items()
    }
    return (name, "service_completed_successfully") in awaited and SERVICES[name]["restart"] == "no"


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned(name: str) -> None:
    """Each image carries a version; none is `latest` or without a tag."""
    assert PINNED.match(SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_healthy_or_done(name: str) -> None:
    """Each service has a health check, or is a one-shot that others await."""
    check = SERVICES[name]["healthcheck"]
    assert ("test" in check) != is_one_shot(name)
    assert SERVICES[name]["restart"] == ("no" if is_one_shot(name) else "unless-stopped")


def test_the_path_is_whole() -> None:
    """Every role is there, ingest twice; topics and migrations come before them."""
    assert set(SERVICES) == {"kafka", "postgres", "topics", "migrate", "ingest", "alerter", "maintain"}
    assert {name for name in SERVICES if is_one_shot(name)} == {"topics", "migrate"}
    assert SERVICES["ingest"]["deploy"]["replicas"] == 2
    for role in ("ingest", "alerter", "maintain"):
        assert SERVICES[role]["command"] == [role]
        assert set(SERVICES[role]["depends_on"]) == {"topics", "migrate"}


def test_state_outlives_its_containers() -> None:
    """Kafka and Postgres write to named volumes that the file declares."""
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"]) == {"kafka", "postgres"}


def test_each_variable_is_a_setting() -> None:
    """What compose and the image set is what the settings read, by name."""
    named = set(re.findall(r"DRIFTLINE_([A-Z_]+)=", DOCKERFILE))
    for service in SERVICES.values():
        named |= {
            key.removeprefix("DRIFTLINE_") for key in service.get("environment", {}) if key.startswith("DRIFTLINE_")
        }
    assert named == {"DATABASE_URL", "KAFKA_BOOTSTRAP", "METRICS_HOST", "METRICS_PORT"}
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_the_image_is_pinned_and_runs_as_nobody_special() -> None:
    """Every FROM carries a patch version, packages come by hash, the last user is not root."""
    assert all(PINNED.match(base) for base in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    assert "--require-hashes -r requirements-run.lock" in DOCKERFILE
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE) == ["driftline"]
    assert "HEALTHCHECK" in DOCKERFILE
