"""Matrices in MATLAB's files: what must be read, and what must be refused."""

import struct
import subprocess
import sys
import zlib

import h5py
import numpy as np
import pytest
import scipy.io

from minifcn.data import DataError, matlab
from minifcn.data.matlab import read_matrix

FORMATS = ["5", "7", "7.3"]


def write(disk, kind: str, name: str = "a.mat", **variables):
    if kind == "7.3":
        return disk.mat73(name, **variables)
    return disk.mat(name, compress=kind == "7", **variables)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64"])
def test_values_come_back(disk, kind, dtype) -> None:
    values = disk.rng.integers(0, 200, (5, 9)).astype(dtype)
    got = read_matrix(write(disk, kind, S=values, T=values + 1), "S")
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, values)


@pytest.mark.parametrize("kind", FORMATS)
def test_below_zero_and_above_a_byte(disk, kind) -> None:
    values = np.array([[-1, 459, 3], [0, -1, 40000]], np.int32)
    np.testing.assert_array_equal(read_matrix(write(disk, kind, S=values), "S"), values)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1)])
def test_field_of_a_struct(disk, kind, size) -> None:
    values = disk.label(*size, 21)
    path = write(
        disk, kind, GTcls={"Boundaries": disk.label(2, 3), "Segmentation": values}
    )
    np.testing.assert_array_equal(read_matrix(path, "GTcls", "Segmentation"), values)


def test_big_endian(disk) -> None:
    values = np.arange(6, dtype=">u2").reshape(2, 3)
    # tag, flags (uint16), dimensions, name "S", and the values by columns
    body = struct.pack(">IIII", 6, 8, 11, 0) + struct.pack(">IIii", 5, 8, 2, 3)
    body += struct.pack(">HH4s", 1, 1, b"S") + struct.pack(">II", 4, 12)
    body += values.T.tobytes() + bytes(4)
    data = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI"
    path = disk.path("a.mat")
    path.write_bytes(data + struct.pack(">II", 14, len(body)) + body)
    np.testing.assert_array_equal(read_matrix(path, "S"), values)


# what is refused ---------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
def test_no_such_name(disk, kind) -> None:
    path = write(disk, kind, GTcls={"Boundaries": disk.label(2, 3)}, S=disk.label(2, 3))
    with pytest.raises(DataError, match=r"a\.mat holds no LabelMap$"):
        read_matrix(path, "LabelMap")
    with pytest.raises(DataError, match=r"a\.mat holds no GTcls\.Segmentation$"):
        read_matrix(path, "GTcls", "Segmentation")
    with pytest.raises(DataError, match=r"a\.mat holds no S\.Segmentation$"):
        read_matrix(path, "S", "Segmentation")
    with pytest.raises(DataError, match=r"a\.mat: GTcls is not a matrix of numbers$"):
        read_matrix(path, "GTcls")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[1.0, 2.5]]), r"S holds 2\.5, which is not a whole number"),
        (np.array([[1.0, np.nan]]), "S holds nan"),
        (np.array([[1.0, -np.inf]]), "S holds -inf"),
        (np.array([[1, 2**40]]), "S holds 1099511627776, .* of 32 bits"),
        (np.zeros((2, 3, 4)), r"S has the shape \(2, 3, 4\): a label needs"),
        (np.zeros((0, 3)), r"S has the shape \(0, 3\)"),
        (np.array([[1 + 2j]]), "S is not a matrix of numbers"),
    ],
)
def test_no_label(disk, kind, values, message) -> None:
    with pytest.raises(DataError, match=r"a\.mat: " + message):
        read_matrix(write(disk, kind, S=values), "S")


def test_other_things_than_matrices(disk) -> None:
    cells = np.empty((1, 2), object)
    cells[:] = [["a", "b"]]
    path = disk.mat(
        "a.mat", cells=cells, text="abc", structs=np.array([(1,), (2,)], [("x", "O")])
    )
    for name in ("cells", "text"):
        with pytest.raises(DataError, match=f"{name} is not a matrix of numbers$"):
            read_matrix(path, name)
    with pytest.raises(DataError, match=r"holds no structs\.x$"):
        read_matrix(path, "structs", "x")


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0", b"\x89PNG" + bytes(200)])
def test_no_matlab_file(disk, content) -> None:
    path = disk.path("a.mat")
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a MATLAB file of format 5, 6, 7"):
        read_matrix(path, "S")
    with pytest.raises(FileNotFoundError, match=r"there is no file .*gone\.mat"):
        read_matrix(disk.path("gone.mat"), "S")


@pytest.mark.parametrize("kind", FORMATS)
def test_every_file_cut_short(disk, kind) -> None:
    path = write(disk, kind, S=disk.label(20, 30, 256))
    whole = path.read_bytes()
    for cut in [130, 140, len(whole) // 2, len(whole) - 30]:
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"a\.mat is damaged or cut short: ."):
            read_matrix(path, "S")


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_bytes_read_or_refused(disk, kind) -> None:
    values = disk.label(9, 11, 256)
    path = write(disk, kind, G={"S": values})
    whole, refusals = path.read_bytes(), []
    start = 128 if kind != "7.3" else 512
    for _ in range(60):
        data = bytearray(whole)
        data[int(disk.rng.integers(start, len(data)))] ^= int(disk.rng.integers(1, 256))
        path.write_bytes(data)
        try:
            assert read_matrix(path, "G", "S").ndim == 2
        except DataError as error:
            refusals.append(str(error))
    assert refusals
    assert all(said.startswith(str(path)) and "\n" not in said for said in refusals)


def test_claim_of_more_than_can_be_read(disk, monkeypatch) -> None:
    path = disk.mat("a.mat", compress=False, S=disk.label(3, 5))
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack("<ii", 3, 5))
    data[at : at + 8] = struct.pack("<ii", 50_000, 50_000)
    path.write_bytes(data)
    expected = (
        r"a\.mat is too large to read safely: .* values \(2500000000\), .* 67 mill"
    )
    with pytest.raises(DataError, match=expected):
        read_matrix(path, "S")


@pytest.mark.parametrize("compress", [False, True])
def test_claim_deep_inside(disk, compress) -> None:
    cells = np.empty((1, 1), object)
    cells[0, 0] = disk.label(3, 5)
    path = disk.mat("a.mat", False, A=disk.label(2, 2), G={"S": {"C": cells}})
    data = bytearray(path.read_bytes())
    at = data.rindex(struct.pack("<IIii", 5, 8, 1, 1))  # the size of the cells
    data[at : at + 16] = struct.pack("<IIii", 5, 8, 18_000, 18_000)
    if compress:
        start = 128 + 8 + struct.unpack_from("<I", data, 132)[0]
        stream = zlib.compress(data[start:])
        data[start:] = struct.pack("<II", 15, len(stream)) + stream
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"too many values \(3240000\d\d\)"):
        read_matrix(path, "A")


def test_matrices_that_are_too_large_together(disk, monkeypatch) -> None:
    path = disk.mat("a.mat", S=disk.label(3, 5), T=disk.label(4, 7))
    monkeypatch.setattr(matlab, "MAX_PIXELS", 15 + 28)
    assert read_matrix(path, "S").shape == (3, 5)
    monkeypatch.setattr(matlab, "MAX_PIXELS", 15 + 27)
    with pytest.raises(DataError, match=r"too many values \(43\)"):
        read_matrix(path, "S")


def test_compressed_to_next_to_nothing(disk, monkeypatch) -> None:
    path = disk.mat("a.mat", S=disk.label(3, 5))
    stream = zlib.compress(bytes(1 << 20))
    head = path.read_bytes()[:128]
    path.write_bytes(head + struct.pack("<II", 15, len(stream)) + stream)
    monkeypatch.setattr(matlab, "_MAX_BYTES", 1 << 19)
    with pytest.raises(DataError, match="too many bytes when uncompressed"):
        read_matrix(path, "S")
    monkeypatch.setattr(matlab, "_MAX_BYTES", 100)
    with pytest.raises(DataError, match="too many bytes, and at most 67 million"):
        read_matrix(path, "S")


@pytest.mark.parametrize(
    ("shape", "chunks"), [((10_000, 10_000), None), ((3, 5), (10_000, 10_000))]
)
def test_hdf5_too_large(disk, shape, chunks) -> None:
    path = disk.mat73("a.mat", T=disk.label(2, 2))
    with h5py.File(path, "r+") as file:
        file.create_dataset("S", shape, "u1", chunks=chunks, maxshape=chunks)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match=r"too many values \(100000000\)"):
        read_matrix(path, "S")


def test_hdf5_does_not_lead_elsewhere(disk) -> None:
    other = disk.mat73("other.mat", S=disk.label(3, 5))
    path = disk.mat73("a.mat", T=disk.label(2, 2))
    with h5py.File(path, "r+") as file:
        file["S"] = h5py.ExternalLink(str(other), "S")
        layout = h5py.VirtualLayout((3, 5), "u1")
        layout[:] = h5py.VirtualSource(str(other), "S", (3, 5))
        file.create_virtual_dataset("V", layout)
        file.create_dataset("E", (3, 5), "u1", external=[(str(other), 0, 15)])
    with pytest.raises(DataError, match=r"holds no S$"):
        read_matrix(path, "S")
    for name in "VE":
        with pytest.raises(DataError, match=f"keeps {name} in another file"):
            read_matrix(path, name)


@pytest.mark.parametrize(("kind", "package"), [("5", "scipy"), ("7.3", "h5py")])
def test_library_that_is_not_installed(disk, monkeypatch, kind, package) -> None:
    path = write(disk, kind, S=disk.label(3, 5))
    for name in ("scipy.io", "h5py"):
        if name.startswith(package):
            monkeypatch.setitem(sys.modules, name, None)
    expected = (
        rf"a\.mat needs {package} to be read, .*: pip install 'minifcn\[datasets\]'"
    )
    with pytest.raises(DataError, match=expected):
        read_matrix(path, "S")


def test_nothing_is_imported_before_it_is_needed() -> None:
    code = "import minifcn.data, sys; print({'scipy', 'h5py'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_tests_write_what_matlab_writes(disk) -> None:
    path = disk.mat("a.mat", S=np.eye(3))
    assert scipy.io.whosmat(path) == [("S", (3, 3), "double")]
