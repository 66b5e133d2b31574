"""What every test has: repeatable draws, and the real material where it is."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from minifcn import arrays

settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
# new cases at every run: pytest --hypothesis-profile=explore
settings.register_profile(
    "explore", settings.get_profile("repeatable"), derandomize=False, max_examples=1000
)
settings.load_profile("repeatable")


def pytest_terminal_summary(terminalreporter) -> None:
    """Say how many of the faults planted in the operators the laws have caught."""
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if "test_planted_fault_is_caught" in report.nodeid and report.when == "call"
    ]
    found = [value for r in reports for name, value in r.user_properties]
    if reports:
        operators = len({operator for operator, _, _ in found})
        most = max((cases for _, _, cases in found), default=0)
        terminalreporter.write_line(
            f"planted faults: {len(found)} of {len(reports)} caught, in {operators} "
            f"operators; at most {most} drawn cases were needed"
        )


ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    np.random.seed(20150611)  # noqa: NPY002 (the global state of NumPy itself)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20150611)


@pytest.fixture(params=arrays.DEVICES[1:])
def device(request: pytest.FixtureRequest) -> str:
    """Each device but the CPU; where it cannot be had, the skip says what it needs."""
    try:
        arrays.check_device(request.param)
    except ValueError as error:
        pytest.skip(str(error))
    return request.param


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of published photographs, labels and weights; else the test is skipped."""
    folder = Path(os.environ.get("MINIFCN_DATA", ROOT / "../shared/data"))
    if not folder.is_dir():
        pytest.skip(f"no real material at {folder}; set MINIFCN_DATA to its folder")
    return folder
