"""Contenders: that they answer, that what they cannot do is said, that they end."""

import importlib.util

import pytest

from minifcn.bench import contest, machine, network, operators, scaling

SETTINGS = {"device": "cpu", "tf32": False, "seed": 0}


def test_a_contender_describes_itself_and_ends():
    with contest.contest(None, "operator_worker", SETTINGS) as (ours,):
        assert ours.name == "minifcn"
        assert ours.about["library"]["numpy"].count(".") == 2
        assert ours.process.poll() is None
    assert ours.process.returncode == 0


def test_what_a_worker_refuses_is_told_in_its_words():
    net = {"name": "fcn4s", "n_classes": 2}
    settings = SETTINGS | {"net": net, "size": [9, 12], "batch": 1, "image": None}
    with pytest.raises(ValueError, match="of minifcn: net is 'fcn4s'"):
        contest.Contender("minifcn", "network_worker", settings)


def test_a_contender_that_ends_is_reported(capfd):
    with contest.contest(None, "operator_worker", SETTINGS) as (ours,):
        with pytest.raises(ValueError, match="the benchmark of minifcn ended"):
            ours.ask({"do": "dance"})
        with pytest.raises(ValueError, match="the benchmark of minifcn ended"):
            ours.ask({"do": "load"})  # nobody is there any more
    assert "dance" in capfd.readouterr().err


def test_threads_are_those_asked_for():
    settings = SETTINGS | {"threads": 1}
    with contest.contest(None, "operator_worker", settings) as (ours,):
        about = ours.about["library"]
    assert about["threads"] == 1
    assert about.get("blas_threads", 1) == 1


@pytest.mark.parametrize("module", [network, operators, scaling])
def test_missing_torch_is_named(monkeypatch, module):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="needs PyTorch: pip install torch"):
        module.measure("torch")


@pytest.mark.parametrize("module", [network, operators, scaling])
def test_a_device_that_cannot_be_had_is_refused(module):
    with pytest.raises(ValueError, match="device is 'tpu'"):
        module.measure(None, device="tpu")


def test_the_machine_is_described_in_full():
    figures = {
        "device": "cuda",
        "device_name": "GPU 1",
        "tf32": True,
        "machine": machine.describe()
        | {
            "libraries": {
                "minifcn": {
                    "numpy": "2.1.0",
                    "threads": 2,
                    "cupy": "14.0",
                    "blas": "openblas",
                    "blas_version": "0.3",
                    "blas_threads": 4,
                    "blas_kernels": "SkylakeX",
                },
                "torch": {"torch": "2.9", "threads": 3, "cudnn": 91002},
            }
        },
    }
    first, *others = machine.lines(figures)
    assert "Python 3." in first
    assert "cores" in first
    assert others == [
        "device cuda: GPU 1, TF32 on",
        "minifcn: NumPy 2.1.0, threads: 2, openblas 0.3 (SkylakeX kernels, threads: 4)"
        ", CuPy 14.0",
        "torch: PyTorch 2.9, cuDNN 91002, threads: 3",
    ]
