"""The compiled pass follows the walk it is given and clips to 0..1."""

import numpy as np

from prestige.data.patches.restain import restain


def test_walk_and_tables() -> None:
    byte = np.arange(256, dtype=np.float32)
    tables = np.ones((1, 3, 256, 4), np.float32)
    for channel in range(3):
        tables[0, channel, :, channel] = (byte * 2 + 1) / 256  # twice the value
    image = np.arange(12, dtype=np.uint8).reshape(1, 12)
    image[0, 9] = 200
    out = np.zeros((1, 12), np.float32)
    restain(image, np.array([[1, 2, -1]]), tables, 2, out)  # each row read from right to left
    seen = image.reshape(2, 2, 3)[:, ::-1].reshape(1, 12)
    np.testing.assert_allclose(out, np.minimum(seen * 2.0 / 255, 1.0), atol=1e-6)
    assert out.max() == 1.0
