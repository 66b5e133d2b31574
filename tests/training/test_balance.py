import numpy as np

from minifcn.training.balance import median_frequency


class Labels:
    """Two labels of unequal sizes; class 3 never occurs."""

    class_names = ("a", "b", "c", "d")

    def __init__(self) -> None:
        first = np.zeros((2, 10), np.uint8)  # 0: 14, 1: 4, ignored: 2
        first[0, :4] = 1
        first[1, 8:] = 255
        second = np.zeros((5, 6), np.uint8)  # 0: 29, 2: 1
        second[4, 5] = 2
        self.labels = [first, second]

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> tuple[None, np.ndarray]:
        return None, self.labels[index]


def test_median_frequency_by_hand() -> None:
    # f = 43/48, 4/18, 1/30: the median is 4/18
    weights = median_frequency(Labels(), limit=100)
    expected = [(4 / 18) / (43 / 48), 1, (4 / 18) / (1 / 30), 1]
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert weights.dtype == np.float32


def test_limit_clips_both_ends() -> None:
    weights = median_frequency(Labels(), limit=2)
    np.testing.assert_allclose(weights, [0.5, 1, 2, 1], rtol=1e-6)
