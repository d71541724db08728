"""Dropout in a cell: one mask for all steps of a sequence, drawn before the loop."""

import contextlib

import keras
from keras import ops

# keras.layers.RNN asks each cell that has this mixin for its masks before the loop, and drops
# them after it. Keras does not export it, so it is taken from a cell that has it.
(KerasMixin,) = (base for base in keras.layers.LSTMCell.__bases__ if base is not keras.layers.Layer)


class Dropout(KerasMixin):
    """Two masks: one for the inputs, one for the hidden state in its product with the weights.

    While a layer is trained, each number is zero with probability ``rate`` and divided by
    1 - rate otherwise; at inference it stays as it is. A mask is the same for all steps of a
    sequence and for all gates, and differs between the sequences of a batch.

    Reference:
        Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent neural
        networks", 2016.
    """

    _input_mask = _state_mask = None

    def make_dropout(self, dropout, recurrent_dropout, seed):
        self.dropout = self._rate("dropout", dropout)
        self.recurrent_dropout = self._rate("recurrent_dropout", recurrent_dropout)
        self.seed = seed
        drops = dropout or recurrent_dropout
        self._draw = Mask(seed, dtype=self.dtype_policy) if drops else None

    def drop_inputs(self, inputs):
        """The inputs (batch, features) under this sequence's mask."""
        if not self.dropout:
            return inputs
        mask = self._input_mask
        if mask is None:  # outside a layer: a mask for this step
            mask = self._drawn("dropout", inputs)
        return inputs * mask

    @contextlib.contextmanager
    def changed_input_mask(self, change):
        """Inside, the inputs meet ``change(mask)``, if a mask has been drawn."""
        mask = self._input_mask
        object.__setattr__(self, "_input_mask", mask if mask is None else change(mask))
        try:
            yield
        finally:
            object.__setattr__(self, "_input_mask", mask)

    def drop_state(self, h):
        """A state (batch, units) under this sequence's mask."""
        if not self.recurrent_dropout:
            return h
        mask = self._state_mask
        return h * (self._drawn("recurrent_dropout", h) if mask is None else mask)

    def _drawn(self, which, like):
        if self._draw is None:
            expected = "it among the constructor's arguments"
            raise self._error(which, expected, f"{getattr(self, which)}, set later")
        return self._draw(like, rate=getattr(self, which))

    # What keras.layers.RNN calls. A mask is a plain attribute: Keras would track what holds it.

    def get_dropout_mask(self, step_input):
        if self.dropout:
            object.__setattr__(self, "_input_mask", self._drawn("dropout", step_input))

    def get_recurrent_dropout_mask(self, step_input):
        if self.recurrent_dropout:
            object.__setattr__(self, "_state_mask", self._drawn("recurrent_dropout", step_input))

    def reset_dropout_mask(self):
        object.__setattr__(self, "_input_mask", None)

    def reset_recurrent_dropout_mask(self):
        object.__setattr__(self, "_state_mask", None)

    def _rate(self, what, value):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
            raise self._error(what, "a share of at least 0 and below 1", repr(value))
        return value


class Mask(keras.layers.Layer):
    """A mask of the shape of its input: drawn in training, ones at inference.

    It is a layer of its own, since Keras passes ``training`` to layers and not to the loop.
    """

    def __init__(self, seed, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, like, rate, training=False):
        ones = ops.ones_like(like)
        return keras.random.dropout(ones, rate, seed=self.seed_generator) if training else ones
