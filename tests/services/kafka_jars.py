"""Apache Kafka's jars: fetched once through Maven into .cache/kafka."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.services.processes import ServiceFailed

ROOT = Path(__file__).parents[2]
POM = Path(__file__).with_name("pom.xml")
JARS = ROOT / ".cache" / "kafka"
STAMP = JARS / ".ready"
OLDEST_JAVA = 17


def what_is_missing() -> str | None:
    """Return what to install before a broker can run here, or None when nothing is missing."""
    version = java_version()
    if version is None or version < OLDEST_JAVA:
        result = "no Java" if version is None else f"Java {version}"
        return f"Java {OLDEST_JAVA} or newer ({result} found; Debian: apt-get install openjdk-17-jre-headless)"
    if not jars_are_here() and shutil.which("mvn") is None:
        return "Maven, to fetch Kafka's jars (Debian: apt-get install maven)"
    return None


def java_version() -> int | None:
    """Return the major version of the `java` in the path."""
    if shutil.which("java") is None:
        return None
    answer = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False, timeout=60)
    match = re.search(r'version "(\d+)', answer.stderr)
    return int(match.group(1)) if match else None


def jars_are_here() -> bool:
    return STAMP.exists() and STAMP.stat().st_mtime >= POM.stat().st_mtime


def fetch_jars() -> Path:
    """Return the directory with Kafka's jars, fetching them if they are not there or the POM is newer.

    Raises:
        ServiceFailed: Java or Maven is missing, or Maven could not fetch them.
    """
    if jars_are_here():
        return JARS
    if missing := what_is_missing():
        raise ServiceFailed(f"Kafka's jars cannot be fetched; install {missing}")
    JARS.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=JARS.parent) as fresh:
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fresh}"]
        answer = subprocess.run(
            ["mvn", "-q", "-B", "-f", str(POM), *goal],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        jars = list(Path(fresh).glob("*.jar"))
        if answer.returncode != 0 or not jars:
            raise ServiceFailed(f"Maven could not fetch Kafka's jars:\n{answer.stdout}{answer.stderr}")
        JARS.mkdir(exist_ok=True)
        for jar in jars:  # file by file: another run may have been quicker
            os.replace(jar, JARS / jar.name)
    STAMP.touch()
    return JARS


if __name__ == "__main__":
    try:
        fetch_jars()
    except ServiceFailed as failure:
        sys.exit(str(failure))
