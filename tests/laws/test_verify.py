"""minifcn verify: the table, what is broken, and the exit status."""

import gc
import itertools
import json
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from minifcn import cli
from minifcn.cli import verify as command
from minifcn.laws import LAWS, Implementation, Law, cases, laws_of, on_arrays, verify


@pytest.fixture
def run(capsys):
    """Run `minifcn verify`; return status, output and what was said."""

    def run(*argv):
        status = cli.main(["verify", *map(str, argv)])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def faulty(monkeypatch):
    """A relu of twice the size is on trial."""
    twice = on_arrays(lambda x: 2 * np.maximum(x, 0), lambda gy, x: 2 * gy * (x > 0))

    def implementation(**settings):
        return Implementation(operators={"relu": twice}, **settings)

    monkeypatch.setattr(command, "Implementation", implementation)


def test_table(run):
    status, out, err = run("--only", "relu", "im2col", "--cases", 4, "--seed", 3)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "minifcn 0.1.0 on cpu, float64"
    assert lines[1].startswith("Python 3.")
    assert f"NumPy {np.__version__}" in lines[1]
    assert lines[2:4] == ["4 cases a law, seed 3", ""]
    relu, im2col = len(laws_of("relu")), len(laws_of("im2col"))
    columns = [line.split() for line in lines[5:]]
    assert columns[0][:3] == ["im2col", f"{im2col}/{im2col}", str(4 * im2col)]
    assert columns[1][:3] == ["relu", f"{relu}/{relu}", str(4 * relu)]
    assert columns[2][:2] == ["all", f"{relu + im2col}/{relu + im2col}"]
    assert columns[2][-1] == "s"
    assert all(0 <= float(row[3]) < 1e-10 for row in columns)
    assert all(0 < float(row[4]) < 1e-6 for row in columns)  # central differences
    assert max(map(len, lines)) <= 80


def test_broken_law(run, faulty):
    status, out, _ = run("--only", "relu", "crop", "--cases", 30)
    assert status == 1
    table, count, message, *_ = out.split("\n\n")[1:]
    relu, crop, total = table.splitlines()[1:]
    assert relu.endswith("  broken")
    assert crop.split()[1] == f"{len(laws_of('crop'))}/{len(laws_of('crop'))}"
    held, tried = map(int, total.split()[1].split("/"))
    assert count == f"{tried - held} laws are broken:"
    assert out.count("breaks the law “") == tried - held
    assert message.startswith("minifcn: relu breaks the law “equals its definition”\n")
    assert "first difference at" in message


def test_json(run, faulty):
    status, out, err = run("--only", "relu", "--cases", 30, "--seed", 1, "--json")
    assert (status, err) == (1, "")
    figures = json.loads(out)
    laws = figures.pop("laws")
    assert figures.pop("seconds") > 0
    settings = {"device": "cpu", "dtype": "float64", "cases": 30, "seed": 1}
    assert figures == settings | {"held": False}
    assert [law["law"] for law in laws] == [law.name for law in laws_of("relu")]
    keys = ["subject", "law", "formula", "held", "cases", "worst_error"]
    for law in laws:
        assert list(law) == keys + ["message"] * (not law["held"])
        assert (law["worst_error"] is None) == (not law["held"])
        assert 1 <= law["cases"] <= 30
    assert {law["held"] for law in laws} == {True, False}


def test_float32_leaves_out_central_differences(run):
    status, out, _ = run("--only", "conv2d", "--cases", 3, "--dtype", "float32")
    assert status == 0
    assert "on cpu, float32" in out
    assert "(gradients are compared with central differences in float64 only)" in out
    row = next(line for line in out.splitlines() if line.startswith("conv2d"))
    count = len(laws_of("conv2d")) - 1
    assert (row.split()[1], row.split()[4]) == (f"{count}/{count}", "-")


def test_law_that_cannot_be_tried_does_not_hold():
    law = Law("relu", "none", "x = x", "", cases.images("relu"), lambda *_: None)
    law = Law(**vars(law) | {"cases": law.cases.filter(lambda case: False)})
    result = verify.attempt(law, Implementation(), 3)
    assert (result.held, result.cases, result.worst_error) == (False, 0, None)
    assert "could not be tried" in result.message


def test_report_of_one_broken_law():
    law = laws_of("relu")[0]
    result = verify.Result(law, 7, None, "mine: relu breaks the law")
    for seconds, written in ((61.4, "61"), (10.4, "10"), (9.44, "9.4"), (0.36, "0.4")):
        report = verify.Report(Implementation(), 50, 0, [result], seconds)
        *_, row, total, _, count, _, message = verify.render(report).splitlines()
        assert total.split() == ["all", "0/1", "7", "-", "-", "in", written, "s"]
    assert row.split() == ["relu", "0/1", "7", "-", "-", "broken"]
    assert (count, message) == ("1 law is broken:", "mine: relu breaks the law")


# ----------------------------------------------------------------------------- listing


def test_list(run):
    status, out, _ = run("--list")
    assert status == 0
    assert max(map(len, out.splitlines())) <= 80
    unfolded = " ".join(out.split())
    for law in LAWS:
        assert law.name in out
        assert " ".join(law.formula.split()) in unfolded
    assert "im2col\n  equals its definition\n" in out


def test_list_of_one_as_json(run):
    status, out, _ = run("--list", "--json", "--only", "conv2d")
    listed = json.loads(out)
    assert status == 0
    assert [law["law"] for law in listed] == [law.name for law in laws_of("conv2d")]
    assert list(listed[0]) == ["subject", "law", "formula", "source"]


def test_laws_of_one_subject_stand_together():
    laws = verify.choose()
    assert sorted(map(id, laws)) == sorted(map(id, LAWS))
    subjects = [law.subject for law in laws]
    changes = sum(a != b for a, b in itertools.pairwise(subjects))
    assert changes == len(set(subjects)) - 1


# ----------------------------------------------------------------------------- misuse


@pytest.mark.parametrize(
    "argv, said",
    [
        (["--only", "paint"], "minifcn: there is no law of 'paint'; there are laws of"),
        (["--cases", "0"], "minifcn: --cases is 0; it must be 1 or more\n"),
        (["--cases", "many"], "argument --cases: invalid int value: 'many'"),
        (["--device", "abacus"], "argument --device: invalid choice: 'abacus'"),
    ],
)
def test_misuse(run, argv, said):
    status, out, err = run(*argv)
    assert (status, out) == (2, "")
    assert said in err


def test_help_tells_the_exit_status(run):
    status, out, _ = run("--help")
    assert status == 0
    assert "exit status: 0 every law held, 1 one is broken (or stopped)" in out


# --------------------------------------------------------------------------- stopping


def test_stopped(run, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command.verify, "attempt", stop)
    status, out, err = run("--only", "relu")
    assert (status, out) == (1, "")
    assert "minifcn: stopped" in err


@pytest.fixture
def pressed_in_a_callback(monkeypatch):
    """Ctrl-C is pressed at the third case, while the garbage collector runs.

    There hypothesis' callback, as any, would swallow what a signal's handler raises.
    """
    tried = []

    def press(phase, _):
        if phase == "start" and len(tried) == 3:
            tried.append("pressed")
            signal.raise_signal(signal.SIGINT)

    def implementation(**settings):
        def relu(x):
            tried.append(x)
            gc.collect()
            return np.maximum(x, 0)

        return Implementation(operators={"relu": on_arrays(relu)}, **settings)

    monkeypatch.setattr(command, "Implementation", implementation)
    gc.callbacks.append(press)
    yield tried
    gc.callbacks.remove(press)


def test_stopped_within_a_callback(run, pressed_in_a_callback):
    before = signal.getsignal(signal.SIGINT)
    status, out, err = run("--only", "relu")
    assert (status, out) == (1, "")
    assert err == "minifcn: stopped\n"
    assert len(pressed_in_a_callback) == 4  # not one case more
    assert signal.getsignal(signal.SIGINT) is before


def test_stopped_at_the_last_case(run, monkeypatch):
    law = laws_of("crop")[0]

    def last(ops, case):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(
        command.verify, "choose", lambda *_: [Law(**vars(law) | {"body": last})]
    )
    status, out, err = run("--cases", 1)
    assert (status, out, err) == (1, "", "minifcn: stopped\n")


def test_a_second_time_stops_at_once():
    presses = []

    def press_on():
        for press in range(3):
            presses.append(press)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), command.Interrupt():
        press_on()
    assert presses == [0, 1]


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with command.Interrupt() as interrupt:
            signal.raise_signal(signal.SIGINT)
        assert not interrupt.came
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_beside_the_main_thread_it_runs_as_well(run):
    came = []
    beside = threading.Thread(
        target=lambda: came.append(run("--only", "crop", "--cases", 1))
    )
    beside.start()
    beside.join()
    assert came[0][0] == 0


COUNTING = """
import signal, sys
from minifcn import cli
from minifcn.laws import Law

tell = Law.__call__

def told(*arguments):
    print("case", file=sys.stderr, flush=True)
    tell(*arguments)

Law.__call__ = told
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
sys.exit(cli.main(["verify", "--only", "crop", "--cases", "9999"]))
"""


def test_interrupts_of_a_process_stop_it():
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command_line = [sys.executable, "-c", COUNTING]
    processes = [subprocess.Popen(command_line, **pipes) for _ in range(2)]
    try:
        for process, cases in zip(processes, (1, 80), strict=True):
            for _ in range(cases):
                assert process.stderr.readline() == "case\n"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            assert (process.returncode, out) == (1, "")
            assert err.replace("case\n", "") == "minifcn: stopped\n"
    finally:
        for process in processes:
            process.kill()
            process.communicate()
