"""Is the demo what the README says it is? Scores its three nets once more.

Run where the demo ran, with the Python that ran it.
"""

import json
import subprocess
import sys

NETS = ("fcn32s", "fcn16s", "fcn8s")
LEAST = 0.85  # mean IU of FCN-8s


def mean_iu(net: str) -> float:
    command = [sys.executable, "-m", "minifcn", "evaluate", f"runs/demo/{net}"]
    return json.loads(subprocess.check_output([*command, "--json"]))["mean_iu"]


def main() -> None:
    found = [mean_iu(net) for net in NETS]
    print("mean IU:", ", ".join(f"{n} {iu:.3f}" for n, iu in zip(NETS, found)))
    if not found[0] < found[1] < found[2]:
        sys.exit("FAILED: the scores do not rise from FCN-32s to 8s")
    if found[2] < LEAST:
        sys.exit(f"FAILED: FCN-8s is below {LEAST}")


if __name__ == "__main__":
    main()
