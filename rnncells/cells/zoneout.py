"""Zoneout: a cell whose states, number by number, sometimes stay as they were."""

import keras
from keras import ops

from rnncells.cells import dropout, sentences
from rnncells.cells.contract import RNNCell

DIGIT = 256  # whole numbers up to it are exact in every float dtype, bfloat16 included


class ZoneoutCell(dropout.KerasMixin, RNNCell):
    """Zoneout around any cell: each number of each state may stay as it was.

    With a state s_old before and s_new after a step of the inner cell, and the state's rate p:

        s = k * s_old + (1 - k) * s_new      in training; k is 1 with probability p, else 0
        s = p * s_old + (1 - p) * s_new      at inference, the expectation

    k is drawn anew for each number at each step. An output that is one of the inner cell's
    states is that state after zoneout. As in the paper, all new states of a step are computed
    before any number is kept: an LSTM's h sees the new c.

    There is one more state, the last, ``steps``. It counts the steps, since a loop on JAX can draw
    different numbers at each step only if something in it distinguishes the steps. Pass zeros for
    it with an ``initial_state`` that comes from another cell.

    Args:
        cell: The inner cell, any Keras cell.
        rate: p, one number for all states, or a tuple with one for each, as in (0.05, 0.5) for
            the h and c of an LSTM.
        seed: An int, for draws that can be repeated.
        **kwargs: ``name`` and ``trainable``. The dtype is the inner cell's.

    Shapes:
        inputs, output, states: those of the inner cell; steps: (batch, 2).

    Raises:
        ValueError: ``cell`` is not a cell; a rate is not in [0, 1), or there is not one for each
            state; another ``dtype`` than the inner cell's is given.

    Reference:
        Krueger et al., "Zoneout: regularizing RNNs by randomly preserving hidden activations",
        2017.
    """

    _seeds = None  # one for each state of this sequence, while a layer runs

    def __init__(self, cell, rate, *, seed=None, **kwargs):
        self._demand_cell(cell, **kwargs)
        super().__init__(1, **{**kwargs, "dtype": cell.dtype_policy})
        self.cell, self.rate, self.seed = cell, rate, seed
        self.state_size = cell.state_size
        shapes = sentences.shapes_of(self)
        self.state_size = [*(shape[0] if len(shape) == 1 else shape for shape in shapes), 2]
        self._see_output_size()
        self._demand_rates()
        self._draw = Draw(len(shapes), seed, dtype=self.dtype_policy)

    @classmethod
    def from_config(cls, config):
        """Makes a cell from its configuration, the inner one in the outer one's dtype."""
        inner = config["cell"]
        inner = {**inner, "config": {**inner["config"], "dtype": config["dtype"]}}
        return super().from_config({**config, "cell": inner})

    @property
    def rates(self):
        """The rate of each state."""
        states = len(self.state_size) - 1
        return self.rate if isinstance(self.rate, (list, tuple)) else (self.rate,) * states

    def build(self, input_shape):
        """Builds the inner cell."""
        if not self.cell.built:
            self.cell.build(input_shape)
        self._see_output_size()

    def get_initial_state(self, batch_size=None):
        """The inner cell's initial states, and zero steps."""
        *states, steps = super().get_initial_state(batch_size)
        if hasattr(self.cell, "get_initial_state"):
            states = keras.tree.flatten(self.cell.get_initial_state(batch_size=batch_size))
        return [*states, steps]

    def call(self, inputs, states, training=False):
        *old, steps = states
        output, new = self.cell(inputs, old)  # Keras passes training on
        zoned = self.zoneout(old, keras.tree.flatten(new), steps, training)
        for state, kept in zip(keras.tree.flatten(new), zoned, strict=True):
            output = kept if output is state else output
        return output, [*zoned, _one_more(steps)]

    def zoneout(self, old, new, steps, training=False):
        """Each state, old in some of its numbers in training, a blend of both at inference."""
        if not training:
            pairs = zip(self.rates, old, new, strict=True)
            return [p * o + (1 - p) * n if p else n for p, o, n in pairs]
        seeds = self._draw(steps) if self._seeds is None else self._seeds
        step = ops.sum(ops.cast(steps, "int32") * ops.convert_to_tensor([1, DIGIT], "int32"))
        quadruples = zip(self.rates, old, new, ops.unstack(seeds), strict=True)
        return [ops.where(self._kept(p, n, seed, step), o, n) for p, o, n, seed in quadruples]

    def _kept(self, rate, like, seed, step):
        """True with probability ``rate``, the same at the same step of the same sequence."""
        pair = ops.cast(ops.stack([seed, step]), self._draw.seed_generator.state.dtype)
        return keras.random.uniform(ops.shape(like), seed=Given(pair)) < rate

    # What keras.layers.RNN calls before and after its loop; inner masks are drawn there, too.

    def get_dropout_mask(self, step_input):
        if isinstance(self.cell, dropout.KerasMixin):
            self.cell.get_dropout_mask(step_input)
        object.__setattr__(self, "_seeds", self._draw(step_input))  # Keras would track it

    def get_recurrent_dropout_mask(self, step_input):
        if isinstance(self.cell, dropout.KerasMixin):
            self.cell.get_recurrent_dropout_mask(step_input)

    def reset_dropout_mask(self):
        if isinstance(self.cell, dropout.KerasMixin):
            self.cell.reset_dropout_mask()
        object.__setattr__(self, "_seeds", None)

    def reset_recurrent_dropout_mask(self):
        if isinstance(self.cell, dropout.KerasMixin):
            self.cell.reset_recurrent_dropout_mask()

    def _see_output_size(self):
        size = getattr(self.cell, "output_size", None)
        self.units = self.output_size = self.state_size[0] if size is None else size

    def _demand_cell(self, cell, dtype=None, **_):
        layers = (keras.layers.RNN, keras.layers.StackedRNNCells)
        if not hasattr(cell, "state_size") or isinstance(cell, layers):
            expected = "one Keras cell, as in ZoneoutCell(LSTMCell(4), 0.1)"
            raise self._error("cell", expected, sentences.kind_of(cell))
        policy = cell.dtype_policy if dtype is None else keras.dtype_policies.get(dtype)
        if policy.name != cell.dtype_policy.name:
            expected = f"the inner cell's, {cell.dtype_policy.name}"
            raise self._error("dtype", expected, policy.name)

    def _demand_rates(self):
        states = len(self.state_size) - 1
        numbers = [p for p in self.rates if isinstance(p, (int, float)) and 0 <= p < 1]
        if len(numbers) != len(self.rates) or len(numbers) != states:
            expected = (
                f"a number of at least 0 and below 1, or {states} in a tuple, one for each state"
            )
            raise self._error("rate", expected, repr(self.rate))


class Draw(keras.layers.Layer):
    """A whole number for each state in training, zeros at inference.

    It is a layer of its own, since Keras passes ``training`` to layers and not to the loop.
    """

    def __init__(self, states, seed, **kwargs):
        super().__init__(**kwargs)
        self.states = states
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        if not training:
            return ops.zeros((self.states,), "int32")
        return keras.random.randint((self.states,), 0, 2**31 - 1, seed=self.seed_generator)


class Given(keras.random.SeedGenerator):
    """A seed that is given, so that nothing is assigned inside a loop."""

    def __init__(self, seed):
        self.seed = seed

    def next(self, ordered=True):
        return self.seed


def _one_more(steps):
    """The count as two digits, (batch, 2), the lower one first."""
    low, high = ops.split(steps, 2, axis=-1)
    full = ops.cast(low + 1 >= DIGIT, low.dtype)
    return ops.concatenate([(low + 1) * (1 - full), high + full], axis=-1)
