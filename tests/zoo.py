"""Broken cells, one for each mistake that someone makes: what check_cell has to catch.

A mistake is a mixin that overrides what is wrong. It is made twice: of ``Layered``, a sound cell
on Keras's Layer alone, and of ``RNNCell``. ``caught_by`` names the checks that must fail, the one
that tells the mistake best first. chapters/messages.md is written from here.
"""

from types import SimpleNamespace

import keras
import numpy as np
from keras import ops

from rnncells import AffineRNNCell

UNITS = 4


class Layered(keras.layers.Layer):
    """A sound cell with nothing of ours: tanh(x W + h U + b), by hand."""

    def __init__(self, units=UNITS, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], self.units))
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel", shape=(self.units, self.units), initializer="orthogonal"
        )
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")

    def affine(self, inputs, h):
        return ops.matmul(inputs, self.kernel) + ops.matmul(h, self.recurrent_kernel) + self.bias

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        return h, [h]

    def get_config(self):
        return {"units": self.units, **super().get_config()}


keras.saving.register_keras_serializable("zoo")(Layered)


class Based(AffineRNNCell):
    """The same cell on RNNCell."""

    def __init__(self, units=UNITS, **kwargs):
        super().__init__(units, **kwargs)

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        return h, [h]


class Mistake:
    """Set in a mistake: the checks that catch it, the repair, and whether it is one on RNNCell."""

    caught_by = ()
    caught_on_rnncell = None  # where they differ
    repair = ""
    registered = True
    possible_on_rnncell = True
    arguments = {}
    on_tensorflow_only = False  # the other back ends do it otherwise, or forgive it


# What the cell declares


class NoStateSize(Mistake):
    """`state_size` is forgotten, as in the cell that most tutorials print."""

    caught_by = ("state_size_is_declared",)
    repair = "`self.state_size = units` in `__init__`."
    possible_on_rnncell = False

    def __init__(self, units=UNITS, **kwargs):
        keras.layers.Layer.__init__(self, **kwargs)
        self.units = units


class NumpyStateSize(Mistake):
    """`state_size` comes from NumPy and is not Python's int."""

    caught_by = ("state_size_is_declared",)
    repair = "`int(...)` around it."

    def __init__(self, units=UNITS, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = np.prod([units])


class BuildOfSequences(Mistake):
    """`build` looks for the features where a whole sequence has them."""

    caught_by = ("build_takes_one_step",)
    repair = "`input_shape[-1]`: a cell is built for one step, (batch, features)."

    def build(self, input_shape):
        batch, steps, features = input_shape
        super().build((batch, features))


class OutputOnly(Mistake):
    """`call` returns the output and no states."""

    caught_by = ("call_returns_a_pair",)
    repair = "`return h, [h]`."

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        return h


class TupleOfStates(Mistake):
    """The new states come in a tuple."""

    caught_by = ("states_come_in_a_list",)
    repair = "`return h, [h]`. A tuple works on TensorFlow and fails on JAX."

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        return h, (h,)


class BareState(Mistake):
    """The new state comes without a list around it."""

    caught_by = ("states_come_in_a_list",)
    repair = "`return h, [h]`, also for a single state."

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        return h, h


class TwoReturnedOneDeclared(Mistake):
    """`call` returns two states and one is declared."""

    caught_by = ("states_are_as_declared",)
    repair = (
        '`self.state_size = [units, units]`; on `RNNCell`, `state_names = ("h", "c")` in the class.'
    )

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        return h, [h, h]


class OneReturnedTwoDeclared(Mistake):
    """Two states are declared and `call` returns one."""

    caught_by = ("states_are_as_declared",)
    repair = "`return h, [h, c]`."

    def __init__(self, units=UNITS, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [units, units]

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]) + states[1])
        return h, [h]


class GrowingState(Mistake):
    """The new state is wider than the old one."""

    caught_by = ("states_are_as_declared",)
    repair = "Return a state as wide as `state_size` says; the output may be of another width."

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        h = ops.concatenate([h, inputs], axis=-1)
        return h, [h]


class LyingOutputSize(Mistake):
    """The output is not as wide as the state, and nothing says so."""

    caught_by = ("output_size_is_true", "stacked_is_one_after_another")
    repair = "`self.output_size = 2` in `__init__`."

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        return h[:, :2], [h]


class IntegerState(Mistake):
    """A state that counts is returned as an integer."""

    caught_by = ("dtypes_are_kept",)
    repair = "Count in `self.compute_dtype`: a loop cannot change the type of its states."

    def __init__(self, units=UNITS, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [units, 1]

    def call(self, inputs, states):
        h, steps = states
        h = ops.tanh(self.affine(inputs, h)) / (1 + steps)
        return h, [h, ops.cast(steps, "int32") + 1]


class OldFirstState(Mistake):
    """`get_initial_state` has the arguments that it had in Keras 2."""

    caught_by = ("first_states_are_asked_for_by_batch_size",)
    repair = (
        "`def get_initial_state(self, batch_size=None)`, or no such method: zeros are Keras's own."
    )

    def get_initial_state(self, inputs, batch_size, dtype):
        return ops.zeros((batch_size, self.units), dtype=dtype)


class FirstStateOfOneRow(Mistake):
    """The first state is made for a batch of one and left to broadcast."""

    caught_by = ("first_states_are_as_declared",)
    repair = "`ops.ones((batch_size, self.units), dtype=self.compute_dtype)`."

    def get_initial_state(self, batch_size=None):
        return [ops.ones((1, self.units))]


class WeightsInCall(Mistake):
    """A weight is made by the first call."""

    caught_by = ("call_takes_one_step",)
    caught_on_rnncell = ("mixed_precision_computes_in_half",)  # where no step is tried at build
    repair = "`self.scale = self.add_weight(...)` in `build`."

    def __init__(self, units=UNITS, **kwargs):
        super().__init__(units, **kwargs)
        self.scale = None

    def call(self, inputs, states):
        if self.scale is None:
            self.scale = self.add_weight(shape=(self.units,), initializer="ones", name="scale")
        h = self.scale * ops.tanh(self.affine(inputs, states[0]))
        return h, [h]


class LayerNotBuilt(Mistake):
    """A layer inside the cell is not built in `build`."""

    caught_by = ("weights_are_made_in_build", "trained_model_reloads")
    repair = "`self.dense.build((None, self.units))` in `build`. `RNNCell` (float32) does it."
    possible_on_rnncell = False

    def __init__(self, units=UNITS, **kwargs):
        super().__init__(units, **kwargs)
        self.dense = keras.layers.Dense(units)

    def call(self, inputs, states):
        h = ops.tanh(self.dense(self.affine(inputs, states[0])))
        return h, [h]


class UnusedWeight(Mistake):
    """A weight is made and never used."""

    caught_by = ("every_weight_matters",)
    repair = (
        "Use it, or do not make it: training leaves it where it was and says at most a warning."
    )

    def call(self, inputs, states):
        h = ops.tanh(ops.matmul(inputs, self.kernel) + ops.matmul(states[0], self.recurrent_kernel))
        return h, [h]


class StateNotRead(Mistake):
    """The state is written and never read."""

    caught_by = ("every_state_matters",)
    repair = "Read `states[0]`. A cell without it is a dense layer."

    def call(self, inputs, states):
        h = ops.tanh(ops.matmul(inputs, self.kernel) + self.bias)
        return h, [h]


class StateNotWritten(Mistake):
    """The second state is returned as it came."""

    caught_by = ("every_state_moves",)
    repair = "`c = c + ...`: with one name for old and new there is no old one to return."

    def __init__(self, units=UNITS, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [units, units]

    def call(self, inputs, states):
        h, c = states
        new_c = c + ops.tanh(self.affine(inputs, h))
        return ops.tanh(new_c), [ops.tanh(new_c), c]


class FirstFeatureOnly(Mistake):
    """The cell is written for one number a step, and reads the first of many."""

    caught_by = ("every_feature_matters",)
    repair = "`inputs`, whole: (batch, features)."

    def call(self, inputs, states):
        x, h = inputs[:, :1], states[0]
        h = ops.tanh(x * self.kernel[0] + ops.matmul(h, self.recurrent_kernel) + self.bias)
        return h, [h]


class LogarithmOfAnything(Mistake):
    """A logarithm is taken of what may be negative."""

    caught_by = ("numbers_stay_finite",)
    repair = "`ops.log(ops.maximum(a, 1e-6))`, or another function."

    def call(self, inputs, states):
        h = ops.tanh(ops.log(self.affine(inputs, states[0])))
        return h, [h]


class MaskKept(Mistake):
    """A dropout mask is made once and kept in an attribute."""

    caught_by = ("fit_trains_it",)
    repair = (
        "Make it in every call, or keep it in a state: in an attribute it belongs to one graph."
    )
    on_tensorflow_only = True

    def __init__(self, units=UNITS, **kwargs):
        super().__init__(units, **kwargs)
        self.seed = keras.random.SeedGenerator(0)
        self.mask = None

    def call(self, inputs, states, training=False):
        h = ops.tanh(self.affine(inputs, states[0]))
        if training and self.mask is None:
            self.mask = keras.random.dropout(ops.ones_like(h), 0.5, seed=self.seed)
        if training:
            h = h * self.mask
        return h, [h]


class NoiseAlways(Mistake):
    """Noise is added in training and afterwards."""

    caught_by = ("inference_repeats_itself",)
    repair = "`def call(self, inputs, states, training=False)`, and noise `if training`."

    def __init__(self, units=UNITS, **kwargs):
        super().__init__(units, **kwargs)
        self.seed = keras.random.SeedGenerator(0)

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        h = h + 0.1 * keras.random.normal(ops.shape(h), dtype=h.dtype, seed=self.seed)
        return h, [h]


class BatchSizeFromShape(Mistake):
    """The batch size is read from `inputs.shape`, where it is unknown while a model is made."""

    caught_by = ("symbolic_shapes_are_real",)
    on_tensorflow_only = True
    repair = "`ops.zeros_like(states[0])`, or `ops.shape(inputs)[0]`."

    def call(self, inputs, states):
        zeros = ops.zeros((inputs.shape[0], self.units), dtype=inputs.dtype)
        h = ops.maximum(zeros, self.affine(inputs, states[0]))
        return h, [h]


# What one step leaves for the next


class CountingCalls(Mistake):
    """The cell counts its steps in a Python attribute."""

    caught_by = ("inference_repeats_itself", "rnn_is_the_loop", "unrolled_is_rolled")
    repair = "Count in a state: a compiled loop runs the Python of a step once, not once a step."

    def __init__(self, units=UNITS, **kwargs):
        super().__init__(units, **kwargs)
        self.count = 0

    def call(self, inputs, states):
        self.count = self.count + 1
        h = ops.tanh(self.affine(inputs, states[0])) / self.count
        return h, [h]


class HiddenMemory(Mistake):
    """A running mean is kept in a variable that `call` assigns."""

    caught_by = (
        "inference_repeats_itself",
        "two_halves_are_the_whole",
        "no_step_sees_a_later_one",
        "backwards_is_flipped",
        "mask_on_the_right",
        "mask_on_the_left",
        "mask_with_holes",
        "mask_on_the_first_step",
        "mask_everywhere",
        "masked_output_is_held",
        "masked_output_is_zero",
        "stateful_goes_on",
        "reset_begins_again",
        "given_first_state_is_used",
    )
    repair = "Make it a state: a state is carried, masked, reset and given; a variable is not."

    def build(self, input_shape):
        super().build(input_shape)
        self.mean = self.add_weight(shape=(self.units,), initializer="zeros", trainable=False)

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]) + self.mean)
        self.mean.assign(0.9 * self.mean + ops.mean(h, axis=0))
        return h, [h]


class MeanOverBatch(Mistake):
    """The state is centred over the batch and not over its units."""

    caught_by = ("rows_are_independent",)
    repair = "`axis=-1`. Axis 0 is the batch, and its rows are strangers to one another."

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        h = h - ops.mean(h, axis=0, keepdims=True)
        return h, [h]


class FeaturesWrittenDown(Mistake):
    """The number of features is written into the cell."""

    caught_by = ("stacked_is_one_after_another",)
    repair = "`input_shape[-1]` in `build`: above another cell the features are that cell's output."

    def build(self, input_shape):
        super().build((None, 3))


class DividedByNorm(Mistake):
    """The inputs are divided by their norm, and padding is zero."""

    caught_by = ("masked_steps_give_no_gradient",)
    repair = "`ops.sqrt(ops.maximum(total, 1e-6))`: a masked step is computed too, nan and all."

    def call(self, inputs, states):
        norm = ops.sqrt(ops.sum(inputs * inputs, axis=-1, keepdims=True))
        h = ops.tanh(self.affine(inputs / norm, states[0]))
        return h, [h]


# Numbers


class GradientCut(Mistake):
    """`stop_gradient` stands around the state."""

    caught_by = ("gradients_are_right", "first_state_gets_a_gradient")
    repair = "Leave it out. To stop the gradient, cut the sequence and carry the state."

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, ops.stop_gradient(states[0])))
        return h, [h]


class ConstantOfFloat32(Mistake):
    """A constant of fixed dtype is made in `call`."""

    caught_by = ("float64_is_float64", "mixed_precision_computes_in_half")
    on_tensorflow_only = True
    repair = "`ops.ones_like(h)`, or `dtype=self.compute_dtype`."

    def call(self, inputs, states):
        one = keras.ops.convert_to_tensor(np.ones(self.units, "float32"))
        h = ops.tanh(self.affine(inputs, states[0])) * one
        return h, [h]


class NumpyInside(Mistake):
    """A NumPy function is called in the graph."""

    caught_by = ("gradients_are_right", "xla_computes_the_same")
    on_tensorflow_only = True
    repair = "The same in `keras.ops`: only then is there a derivative, and a program for XLA."

    def call(self, inputs, states):
        import tensorflow as tf

        total = self.affine(inputs, states[0])
        h = tf.ensure_shape(tf.numpy_function(np.tanh, [total], total.dtype), total.shape)
        return h, [h]


class StateThatExplodes(Mistake):
    """Nothing bounds the state, and the recurrent weights start large."""

    caught_by = ("long_sequences_stay_finite",)
    repair = 'An activation, a gate, or `"orthogonal"` as start of the recurrent weights.'

    def build(self, input_shape):
        super().build(input_shape)
        self.recurrent_kernel.assign(np.ones((self.units, self.units)))

    def call(self, inputs, states):
        h = self.affine(inputs, states[0])
        return h, [h]


# Keeping


class NoKeywords(Mistake):
    """`__init__` does not take `name`, `dtype` and `trainable`."""

    caught_by = ("config_makes_the_same_cell", "bidirectional_is_both_ways")
    repair = "`def __init__(self, units, **kwargs): super().__init__(**kwargs)`."

    def __init__(self, units=UNITS):
        super().__init__(units)


class ArgumentForgotten(Mistake):
    """An argument of `__init__` is missing from `get_config`."""

    caught_by = ("config_makes_the_same_cell", "untrained_model_reloads")
    arguments = {"rate": 0.9}
    repair = '`return {"rate": self.rate, **super().get_config()}`. `RNNCell` keeps it by itself.'
    possible_on_rnncell = False

    def __init__(self, units=UNITS, rate=0.5, **kwargs):
        super().__init__(units, **kwargs)
        self.rate = rate

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        h = self.rate * h + (1 - self.rate) * states[0]
        return h, [h]


class NotRegistered(Mistake):
    """The class is not registered for saving."""

    caught_by = (
        "untrained_model_reloads",
        "deep_copy_is_a_second_cell",
        "bidirectional_is_both_ways",
    )
    repair = "`@keras.saving.register_keras_serializable()` above it. `RNNCell` does it by itself."
    registered = False
    possible_on_rnncell = False


class WeightsOutOfSight(Mistake):
    """Weights are kept where Keras does not look for them."""

    caught_by = ("weights_say_all", "weights_reload", "trained_model_reloads")
    repair = (
        "`self.scale = self.add_weight(...)`: in an attribute, a list or a dict, Keras finds it."
    )

    def build(self, input_shape):
        super().build(input_shape)
        start = keras.initializers.RandomNormal()((self.units,))
        self.own = SimpleNamespace(scale=keras.Variable(1 + start))

    def call(self, inputs, states):
        h = ops.tanh(self.own.scale * self.affine(inputs, states[0]))
        return h, [h]


class LayerAsDefault(Mistake):
    """A layer is the default of an argument, made once for all cells."""

    caught_by = ("cells_share_no_weights",)
    repair = "`mixer=None`, and `mixer or keras.layers.Dense(units)` in `__init__`."

    def __init__(self, units=UNITS, mixer=keras.layers.Dense(UNITS), **kwargs):  # noqa: B008
        super().__init__(units, **kwargs)
        self.mixer = mixer

    def build(self, input_shape):
        super().build(input_shape)
        if not self.mixer.built:
            self.mixer.build((None, self.units))

    def call(self, inputs, states):
        h = ops.tanh(self.mixer(self.affine(inputs, states[0])))
        return h, [h]


MISTAKES = [cls for cls in Mistake.__subclasses__()]


def on_layer(mistake):
    """A function that makes the broken cell on Keras's Layer."""
    cls = type(mistake.__name__, (mistake, Layered), {"__module__": "zoo"})
    if mistake.registered:
        keras.saving.register_keras_serializable("zoo")(cls)
    return lambda: cls(**mistake.arguments)


def on_rnncell(mistake):
    """The same on RNNCell, or None where its base makes the mistake impossible."""
    if not mistake.possible_on_rnncell:
        return None
    cls = type(mistake.__name__, (mistake, Based), {"__module__": "zoo_on_rnncell"})
    return lambda: cls(**mistake.arguments)
