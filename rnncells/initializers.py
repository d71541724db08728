"""Initializations of the gates' biases, by how long each unit keeps its state.

A gate of sigmoid(log n) = n / (n + 1) keeps a state for about n steps. All of these draw another n
for each unit, so that some units forget soon and others late. They suit our cells and Keras's:

    LSTMCell(64, bias_initializer=Chrono(length=196), unit_forget_bias=False)
    GRUCell(64, bias_initializer=Chrono(length=196, blocks="zrg"))
    MinGRUCell(64, bias_initializer=Chrono(length=196, blocks="zg"))

For the recurrent weights Keras has "orthogonal" and "identity".
"""

import operator
import random

import keras
import numpy as np
from keras import ops

KEEPS = "fz"  # the blocks whose gate keeps the state: forget in the LSTM, update in the GRUs


class GateBias(keras.initializers.Initializer):
    """A bias whose keeping gate gets a drawn value for each unit: an abstract base class.

    A subclass writes ``keeping(units, generator)``, the biases of the gate that keeps.

    Args:
        blocks: One letter for each block of the bias, in the cell's order: "ifgo" for the LSTM,
            "zrg" for the GRU, "zg" for the minGRU. The blocks f and z keep.
        seed: An int; None draws one, which ``keras.utils.set_random_seed`` fixes. As with Keras's
            initializers, the same object gives the same numbers whenever it is called.

    Shapes:
        (blocks * units,), or (2, blocks * units) for the GRU's two rows, of which the second
        stays zero.

    Raises:
        ValueError: No block keeps; the shape cannot be cut into the blocks.
    """

    closes_input = False  # whether block i gets the negative of block f

    def __init__(self, *, blocks="ifgo", seed=None):
        if not (isinstance(blocks, str) and set(blocks) & set(KEEPS)):
            expected = 'letters with f or z among them, as in "ifgo", "zrg" or "zg"'
            raise self._error("blocks", expected, repr(blocks))
        self.blocks = blocks
        self.seed = seed
        self._drawn_seed = random.randrange(2**31) if seed is None else seed

    def keeping(self, units, generator):
        """Biases (units,) of the gate that keeps, drawn from a NumPy generator."""
        raise NotImplementedError

    def __call__(self, shape, dtype=None):
        units = self._units(tuple(shape))
        keep = self.keeping(units, np.random.default_rng(self._drawn_seed))
        values = {letter: keep for letter in KEEPS}
        if self.closes_input:
            values["i"] = -keep
        rest = np.zeros(units)
        bias = np.concatenate([values.get(letter, rest) for letter in self.blocks])
        if len(shape) == 2:
            bias = np.stack([bias, np.zeros_like(bias)])
        return ops.convert_to_tensor(bias, dtype=dtype or keras.config.floatx())

    def get_config(self):
        return {"blocks": self.blocks, "seed": self.seed}

    def _units(self, shape):
        blocks = len(self.blocks)
        if not shape or shape[-1] % blocks or shape[:-1] not in ((), (2,)):
            expected = (
                f"({blocks} * units,) or (2, {blocks} * units), since the blocks are"
                f' "{self.blocks}"'
            )
            hint = "name the cell's blocks, and set unit_forget_bias=False if it has that"
            raise self._error("shape", expected, f"{shape}: {hint}")
        return shape[-1] // blocks

    def _error(self, what, expected, got):
        return ValueError(f"{type(self).__name__}: {what}: expected {expected}; got {got}.")


@keras.saving.register_keras_serializable("rnncells")
class Keep(GateBias):
    """Each unit keeps for n steps, n drawn between 1 and ``steps``; the input gate is left alone.

        b_f = log n,   n ~ U(1, steps)

    Args:
        steps: The longest time that a unit keeps for, in steps; a number above 1.
        **kwargs: ``blocks`` and ``seed``, as for GateBias.

    Shapes:
        As for GateBias.

    Raises:
        ValueError: ``steps`` is not above 1; as for GateBias.

    Reference:
        The forget gate of Tallec and Ollivier, "Can recurrent neural networks warp time?", 2018,
        without their input gate.
    """

    def __init__(self, steps, **kwargs):
        super().__init__(**kwargs)
        if not steps > 1:
            raise self._error("steps", "a number above 1", repr(steps))
        self.steps = steps

    def keeping(self, units, generator):
        return np.log(generator.uniform(1, self.steps, units))

    def get_config(self):
        return {"steps": self.steps, **super().get_config()}


@keras.saving.register_keras_serializable("rnncells")
class Chrono(GateBias):
    """Each unit keeps for as long as the sequence may ask, and writes as rarely.

        b_f = log n,   b_i = -b_f,   n ~ U(1, length - 1)

    Args:
        length: The number of steps of the sequences, an int above 2.
        **kwargs: ``blocks`` and ``seed``, as for GateBias.

    Shapes:
        As for GateBias.

    Raises:
        ValueError: ``length`` is not an int above 2; as for GateBias.

    Reference:
        Tallec and Ollivier, "Can recurrent neural networks warp time?", 2018.
    """

    closes_input = True

    def __init__(self, length, **kwargs):
        super().__init__(**kwargs)
        if not (isinstance(length, int | np.integer) and length > 2):
            raise self._error("length", "an int above 2, the number of steps", repr(length))
        self.length = operator.index(length)

    def keeping(self, units, generator):
        return np.log(generator.uniform(1, self.length - 1, units))

    def get_config(self):
        return {"length": self.length, **super().get_config()}


@keras.saving.register_keras_serializable("rnncells")
class UniformGates(GateBias):
    """The gates that keep are spread evenly between closed and open, whatever the length.

        b_f = log(u / (1 - u)),   b_i = -b_f,   u ~ U(1 / units, 1 - 1 / units)

    so that sigma(b_f) = u and sigma(b_i) = 1 - u.

    Args:
        **kwargs: ``blocks`` and ``seed``, as for GateBias.

    Shapes:
        As for GateBias, with at least 3 units.

    Raises:
        ValueError: As for GateBias.

    Reference:
        Gu, Gulcehre, Paine, Hoffman and Pascanu, "Improving the gating mechanism of recurrent
        neural networks", 2020.
    """

    closes_input = True

    def keeping(self, units, generator):
        if units < 3:
            raise self._error("shape", "at least 3 units to draw for", units)
        u = generator.uniform(1 / units, 1 - 1 / units, units)
        return np.log(u / (1 - u))
