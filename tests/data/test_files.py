"""Pictures, labels and lists: what must be read, and what must be refused."""

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minifcn.data import DataError, files, read_image, read_label


def spoken(error: pytest.ExceptionInfo) -> str:
    """The message, which is one line."""
    message = str(error.value)
    assert "\n" not in message
    return message


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has next to no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(100)))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size)
    return start + pixels + chunk(b"IEND", b"")


# photographs -------------------------------------------------------------------


@pytest.mark.parametrize("size", [(5, 9), (1, 1), (1, 500), (500, 1)])
@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm"])
def test_lossless_colours_come_back(disk, size, suffix) -> None:
    image = disk.image(*size)
    read = read_image(disk.picture(f"a{suffix}", image))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, image)


def test_large_photograph(disk) -> None:
    image = np.zeros((2000, 3000, 3), np.uint8)
    image[7, 11] = (200, 100, 50)
    read = read_image(disk.picture("a.png", image))
    np.testing.assert_array_equal(read, image)


def test_jpeg_keeps_red_first(disk) -> None:
    image = np.zeros((16, 24, 3), np.uint8)
    image[..., 0] = 250
    read = read_image(disk.picture("a.jpg", image, quality=95))
    assert read.shape == (16, 24, 3)
    np.testing.assert_allclose(read.mean(axis=(0, 1)), (250, 0, 0), atol=4)


def test_grey_becomes_three_equal_channels(disk) -> None:
    grey = disk.label(5, 9, 256)
    read = read_image(disk.picture("a.png", grey))
    np.testing.assert_array_equal(read, np.stack([grey] * 3, axis=2))


def test_alpha_is_dropped(disk) -> None:
    image = disk.rng.integers(256, size=(5, 9, 4), dtype=np.uint8)
    read = read_image(disk.picture("a.png", image))
    np.testing.assert_array_equal(read, image[..., :3])


def test_grey_with_alpha(disk) -> None:
    pixels = disk.rng.integers(256, size=(5, 9, 2), dtype=np.uint8)
    read = read_image(disk.picture("a.png", pixels))
    np.testing.assert_array_equal(read, np.repeat(pixels[..., :1], 3, axis=2))


def test_16_bit_grey_keeps_its_high_byte(disk) -> None:
    deep = disk.rng.integers(65536, size=(5, 9)).astype(np.uint16)
    read = read_image(disk.picture("a.png", deep))
    np.testing.assert_array_equal(read[..., 1], deep // 256)


@pytest.mark.parametrize("transparent", [False, True])
def test_palette_photograph_gets_its_colours(disk, transparent) -> None:
    index = disk.label(5, 9, 4)
    path = disk.palette_label("a.png", index)
    if transparent:
        Image.open(path).save(path, transparency=bytes([0, 90, 255, 4]))
    palette = np.array([(7 * k + 3) % 256 for k in range(12)], np.uint8).reshape(4, 3)
    np.testing.assert_array_equal(read_image(path), palette[index])


def test_cmyk_photograph(disk) -> None:
    ink = np.zeros((8, 16, 4), np.uint8)
    ink[..., 1:3] = 255  # magenta and yellow: red
    picture = Image.frombytes("CMYK", (16, 8), ink.tobytes())
    picture.save(disk.path("a.jpg"), quality=95)
    read = read_image(disk.root / "a.jpg")
    np.testing.assert_allclose(read.mean(axis=(0, 1)), (255, 0, 0), atol=8)


def test_exif_orientation_is_left_alone(disk) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = disk.picture("a.jpg", disk.image(6, 10), exif=exif)
    assert read_image(path).shape == (6, 10, 3)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_truncated_jpeg_is_named(disk, share) -> None:
    path = disk.picture("cut.jpg", disk.image(64, 80))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"cut\.jpg is damaged or cut short") as error:
        read_image(path)
    spoken(error)


@pytest.mark.parametrize("keep", [0, 5, 20, 60, 300])
@pytest.mark.parametrize("read", [read_image, read_label])
def test_truncated_png_is_named(disk, keep, read) -> None:
    path = disk.picture("cut.png", disk.label(64, 80, 256))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"cut\.png"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"a text", b"%PDF-1.4", bytes(1000)])
def test_no_picture(disk, content) -> None:
    path = disk.path("a.jpg")
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.jpg is not a readable picture"):
        read_image(path)


@pytest.mark.parametrize("read", [read_image, read_label])
def test_missing_file_and_folder(disk, read) -> None:
    disk.path("x.png")
    for path in (disk.root / "none.png", disk.root):
        with pytest.raises(FileNotFoundError, match=str(path)):
            read(path)


@pytest.mark.parametrize("size", [(8193, 8193), (10000, 10000), (60000, 60000)])
@pytest.mark.parametrize("warning", ["error", "ignore"])
def test_bomb_is_refused_by_its_header(disk, size, warning, monkeypatch) -> None:
    warnings.simplefilter(warning, Image.DecompressionBombWarning)
    path = disk.path("bomb.png")
    path.write_bytes(png_header(*size))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(DataError, match=r"bomb\.png is too large.*67 million"):
        read_image(path)


# labels ------------------------------------------------------------------------


def test_palette_label_gives_indices(disk) -> None:
    label = disk.label(6, 9, 21)
    label[2, 3] = 255
    read = read_label(disk.palette_label("a.png", label))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, label)


def test_grey_label_gives_values(disk) -> None:
    label = disk.label(6, 9, 256)
    np.testing.assert_array_equal(read_label(disk.picture("a.png", label)), label)


def test_two_valued_label_gives_0_and_1(disk) -> None:
    label = disk.label(6, 9, 2).astype(bool)
    read = read_label(disk.picture("a.png", label))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, label)


def test_16_bit_label(disk) -> None:
    label = disk.label(6, 9, 256).astype(np.uint16)
    np.testing.assert_array_equal(read_label(disk.picture("a.png", label)), label)
    label[1, 2] = 300
    with pytest.raises(DataError, match=r"b\.png holds the value 300"):
        read_label(disk.picture("b.png", label))


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_colour_label_is_refused(disk, channels) -> None:
    pixels = disk.rng.integers(256, size=(6, 9, channels), dtype=np.uint8)
    path = disk.picture("rgb.png", pixels)
    with pytest.raises(DataError, match=r"rgb\.png is a colour picture") as error:
        read_label(path)
    assert "palette or grey" in spoken(error)
    assert "class indices" in spoken(error)


def test_jpeg_label_is_refused(disk) -> None:
    path = disk.picture("a.jpg", disk.label(6, 9))
    with pytest.raises(DataError, match="JPEG, whose compression changes values"):
        read_label(path)


def test_check_label_names_value_count_and_place() -> None:
    label = np.zeros((4, 7), np.uint8)
    label[1, 5] = label[3, 0] = 21
    label[2, 2] = 255
    with pytest.raises(DataError) as error:
        files.check_label(label, 21, "x.png")
    assert spoken(error) == (
        "label x.png holds the value 21 (2 pixels, the first in row 1, column 5, "
        "counted from 0): allowed are 0 to 20 and 255 (ignore)"
    )
    files.check_label(label, 22, "x.png")


def test_check_pair_names_both_sizes() -> None:
    image, label = np.zeros((4, 7, 3), np.uint8), np.zeros((7, 4), np.uint8)
    with pytest.raises(DataError) as error:
        files.check_pair(image, label, ("a.jpg", "a.png"))
    assert "a.jpg is 7x4 and its label a.png is 4x7" in spoken(error)
    files.check_pair(image, label.T, ("a.jpg", "a.png"))


# lists -------------------------------------------------------------------------


def test_list_as_windows_writes_it(disk) -> None:
    path = disk.path("train.txt")
    path.write_bytes("\ufeffa b\r\n\r\n  c\u00e9 \r\n\r\n".encode())
    assert files.read_list(path) == ["a b", "c\u00e9"]


@pytest.mark.parametrize("content", [b"", b"\n \n\n", b"\xef\xbb\xbf\n"])
def test_empty_list(disk, content) -> None:
    path = disk.path("train.txt")
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"train\.txt is empty"):
        files.read_list(path)


def test_id_twice(disk) -> None:
    path = disk.text("train.txt", "a", "b", "", "a")
    with pytest.raises(DataError, match=r"train\.txt names 'a' twice \(lines 1 and 4"):
        files.read_list(path)


def test_list_that_is_no_text(disk) -> None:
    path = disk.path("train.txt")
    path.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(DataError, match="not a text file in UTF-8"):
        files.read_list(path)


@pytest.mark.parametrize(
    "entry", ["../a", "a/../../b", "/etc/a", "C:/a", "C:\\a", "\\\\host\\a", "..\\a"]
)
def test_entry_that_leaves_the_folder(entry) -> None:
    with pytest.raises(DataError, match=r"train\.txt names .* leaves"):
        files.check_inside(entry, "train.txt")


@pytest.mark.parametrize("entry", ["a", "sub/a", "a..b", "my photo", "x.y/2007_1"])
def test_entry_that_stays(entry) -> None:
    assert files.check_inside(entry, "train.txt") == entry


def test_class_names(disk) -> None:
    path = disk.text("classes.txt", "ground", "traffic light", "")
    assert files.read_class_names(path) == ["ground", "traffic light"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["only"], "has 1 class names"),
        ([str(k) for k in range(256)], "has 256 class names"),
        (["a", "", "b"], "no class name on line 2"),
        (["a", "b", "a"], "names 'a' twice"),
    ],
)
def test_bad_class_names(disk, lines, message) -> None:
    with pytest.raises(DataError, match=message):
        files.read_class_names(disk.text("classes.txt", *lines))


def test_missing_files_are_counted(disk) -> None:
    here = disk.text("here", "")
    paths = [here, *(disk.root / f"no{k}.jpg" for k in range(4))]
    with pytest.raises(FileNotFoundError, match=r"^4 of 5 files named by L") as error:
        files.check_files(paths, "L")
    assert spoken(error).endswith("no2.jpg, ...")
    files.check_files([here, Path(__file__)], "L")
