import pytest

from minifcn.cuda.source import read

from .common import FILES, SAMPLE, SUMS


def written(folder, text):
    path = folder / "sample.cu"
    path.write_text(text, encoding="utf-8")
    return path


def test_kernels_are_found_and_comments_are_not():
    kernels = SAMPLE.source.kernels
    assert list(kernels) == ["scale", "flags", "places", "visits"]
    scale = kernels["scale"]
    assert (scale.line, scale.is_template, scale.has_barriers) == (7, True, False)
    assert [scale.expression(v) for v in scale.variants()] == [
        "scale<float>",
        "scale<double>",
    ]
    assert kernels["flags"].variants() == [""]


def test_parameters_are_told_as_in_c():
    x, y, n, a = SAMPLE.source.kernels["scale"].parameters
    told = [p.c_type("float") for p in (x, y, n, a)]
    assert told == ["const float*", "float*", "Index", "float"]
    assert [p.is_written for p in (x, y, n, a)] == [False, True, False, False]
    flags = SAMPLE.source.kernels["flags"].parameters
    assert [str(p.dtype("f4")) for p in flags] == [
        *("uint8", "int64", "int64", "bool", "uint64")
    ]


def test_barriers_are_seen_in_kernels_and_in_their_helpers():
    barriers = {name: k.has_barriers for name, k in SUMS.source.kernels.items()}
    # A helper with a barrier may be called by any kernel of the file.
    assert all(barriers.values())
    assert not any(k.has_barriers for k in SAMPLE.source.kernels.values())


@pytest.mark.parametrize(
    "text, sentence",
    [
        (
            "__global__ void f(const half* x) {}",
            "sample.cu: parameter 'const half* x' has type 'half'; it must be T or",
        ),
        (
            "__global__ void f(float* x, int n) {}",
            "parameter 'int n' has type 'int'",
        ),
        (
            "template <class Number> __global__ static void f(Number* x) {}",
            "sample.cu: 0 of 1 kernels are written as",
        ),
        ("__global__ void f() {}", "sample.cu: f takes no array"),
        (
            "template <typename T> __global__ void f(Index* y, T a) {}",
            "sample.cu: f takes no array of T to go by",
        ),
    ],
)
def test_kernels_written_otherwise_are_refused(tmp_path, text, sentence):
    with pytest.raises(ValueError, match=r"sample\.cu") as error:
        read(written(tmp_path, text))
    assert sentence in str(error.value)


def test_file_is_read_again_when_it_has_changed(tmp_path):
    path = written(tmp_path, "__global__ void f(float* x) {}")
    assert read(path) is read(path)
    path.write_text("__global__ void g(float* x) {}")
    import os

    os.utime(path, ns=(1, 1))
    assert list(read(path).kernels) == ["g"]


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.cu"):
        read(tmp_path / "none.cu")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_kernels_of_the_package_are_short_and_alike(path):
    source = read(path)
    assert "#include" not in source.text
    assert "printf" not in source.text
    for kernel in source.kernels.values():
        lines = [line for line in kernel.body.splitlines() if line.strip()]
        assert len(lines) <= 25, f"{kernel.name}: {len(lines)} lines"
        above = source.text.splitlines()[kernel.line - 2]
        assert above.startswith("//"), f"{kernel.name}: no comment above"
        walks = "FOR_EACH(" in kernel.body or "gridDim.x" in kernel.body
        assert walks, f"{kernel.name}: more items than threads would be left out"
        assert " int " not in kernel.body, f"{kernel.name}: 32 bits where 64 are due"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_atomics_are_of_whole_numbers(path):
    # Sums of floats in an order that nobody fixes differ from run to run.
    for kernel in read(path).kernels.values():
        whole = {p.name for p in kernel.parameters if p.type not in "T float double"}
        for call in kernel.body.split("atomic")[1:]:
            place = call.partition("(&")[2].partition("[")[0]
            assert place in whole, f"{kernel.name}: atomic{call[:30]}"


@pytest.mark.parametrize(
    "declaration",
    [
        "float a[4], b[4];",
        "float a, b;",
        "float\n        a[4],\n b[4];",
        "float a = 1;",
        "float *a;",
        "float a[2][2], b;",
    ],
)
def test_shared_memory_is_declared_array_by_array(tmp_path, declaration):
    path = tmp_path / "two.cu"
    text = f"__global__ void two(float* x) {{\n    __shared__ {declaration}\n}}\n"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"two\.cu:2: ") as error:
        read(path)
    words = " ".join(declaration.split())
    assert f"__shared__ {words} is not written as: __shared__ T name[" in str(
        error.value
    )


@pytest.mark.parametrize("declaration", ["T a[4];", "unsigned long long a [2] [3] ;"])
def test_shared_memory_of_one_name_is_fine(tmp_path, declaration):
    path = tmp_path / "one.cu"
    path.write_text(
        "// __shared__ by all, and so\n__global__ void one(Index* x) {\n"
        f"    __shared__ {declaration}  /* of the block */\n}}\n"
    )
    assert [*read(path).kernels] == ["one"]
