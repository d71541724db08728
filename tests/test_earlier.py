"""Models that were saved before version 0.1.0, when each class was registered by its module.

The files in tests/earlier/ were written by commit 14488ae; answers.json has what their
models answered then to ``X``.
"""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

FILES = Path(__file__).parent / "earlier"
ANSWERS = json.loads((FILES / "answers.json").read_text())
X = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="it wrote them")
@pytest.mark.parametrize("name", ["stack", "parallel", "fast"])
def test_an_earlier_file_loads_with_its_numbers(name, tmp_path):
    import rnncells  # noqa: F401

    model = keras.models.load_model(FILES / f"{name}.keras")
    answer = ops.convert_to_numpy(model(X))
    np.testing.assert_allclose(answer, ANSWERS[name], rtol=0, atol=1e-6)
    model.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras")
    np.testing.assert_array_equal(ops.convert_to_numpy(again(X)), answer)
