"""Every law holds on every device that this machine has: the kernels on trial."""

import pytest

from minifcn.arrays import DEVICES, check_device
from minifcn.laws import LAWS, Implementation

CASES = 8


def missing(device):
    """Why a device cannot be had here; "" where it can."""
    try:
        check_device(device)
    except ValueError as error:
        return str(error)
    return ""


AVAILABLE = {device: missing(device) for device in DEVICES if device != "cpu"}


@pytest.mark.parametrize("device", AVAILABLE)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: f"{law.subject}: {law.name}")
def test_law_holds_on_device(law, device):
    if AVAILABLE[device]:
        pytest.skip(AVAILABLE[device])
    law.hold(Implementation(device, device), CASES)
