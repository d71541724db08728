"""Broken cells, one for each mistake that someone makes: what check_cell has to catch.

A mistake is a mixin that overrides what is wrong. It is made twice: of ``Layered``, a sound cell
on Keras's Layer alone, and of ``RNNCell``. ``caught_by`` names the checks that must fail, the one
that tells the mistake best first. chapters/messages.md is written from here.
"""

from types import SimpleNamespace

import keras
import numpy as np
from keras import ops

from rnncells import AffineRNNCell, DiagonalRNNCell

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


class Diagonal(DiagonalRNNCell):
    """A sound cell for ParallelRNN."""

    def __init__(self, units=UNITS, **kwargs):
        super().__init__(units, **kwargs)

    def coefficients(self, inputs):
        return 0.9, self.affine(inputs)


class Mistake:
    """Set in a mistake: the checks that catch it, the repair, and whether it is one on RNNCell."""

    caught_by = ()  # each of these fails when it is run alone; the first one tells it best
    also = ()  # what check_cell reports beside the first
    caught_on_rnncell = None  # where they differ
    diagonal = False  # a mistake that only a DiagonalRNNCell can have
    repair = ""
    registered = True
    possible_on_rnncell = True
    arguments = {}
    forgiven_by = ()  # back ends that do it otherwise, or work all the same


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
        a = ops.multiply(x, self.kernel[0]) + ops.matmul(h, self.recurrent_kernel)
        h = ops.tanh(a + self.bias)
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
    forgiven_by = ("jax", "torch")

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
    forgiven_by = ("jax", "torch")
    repair = "`ops.zeros_like(states[0])`, or `ops.shape(inputs)[0]`."

    def call(self, inputs, states):
        zeros = ops.zeros((inputs.shape[0], self.units), dtype=inputs.dtype)
        h = ops.maximum(zeros, self.affine(inputs, states[0]))
        return h, [h]


class ShapeAsStateSize(Mistake):
    """`state_size` is TensorFlow's shape, as in code for Keras 2."""

    caught_by = ("state_size_is_declared",)
    repair = "`self.state_size = units`, an int."
    forgiven_by = ("jax", "torch")

    def __init__(self, units=UNITS, **kwargs):
        import tensorflow as tf

        super().__init__(units, **kwargs)
        self.state_size = tf.TensorShape([units])


class StateSizeInBuild(Mistake):
    """`state_size` is set in `build`."""

    caught_by = ("state_size_is_declared",)
    repair = "Set it in `__init__`: `RNN` reads it before anything is built."
    possible_on_rnncell = False

    def __init__(self, units=UNITS, **kwargs):
        keras.layers.Layer.__init__(self, **kwargs)
        self.units = units

    def build(self, input_shape):
        super().build(input_shape)
        self.state_size = self.units


class MatrixAsTwoStates(Mistake):
    """A state is a matrix, and its shape is declared as two states."""

    caught_by = ("call_takes_one_step",)
    caught_on_rnncell = ("build_takes_one_step",)
    repair = "`self.state_size = [(2, units)]`: a list with one entry, and the entry is a shape."

    def __init__(self, units=UNITS, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = (2, units)

    def call(self, inputs, states):
        matrix = states[0]
        h = ops.tanh(self.affine(inputs, matrix[:, 0] + matrix[:, 1]))
        return h, [ops.stack([h, matrix[:, 0]], axis=1)]


class MatrixWithoutFirstState(Mistake):
    """A state is a matrix, and the cell has no `get_initial_state`."""

    caught_by = ("state_size_is_declared",)
    repair = "Write `get_initial_state(self, batch_size=None)`. `RNNCell` has one for every shape."
    possible_on_rnncell = False

    def __init__(self, units=UNITS, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [(2, units)]
        self.output_size = units

    def call(self, inputs, states):
        matrix = states[0]
        h = ops.tanh(self.affine(inputs, matrix[:, 0] + matrix[:, 1]))
        return h, [ops.stack([h, matrix[:, 0]], axis=1)]


class WeightForEachRow(Mistake):
    """A weight has a row for each sequence of the batch."""

    caught_by = ("build_takes_one_step",)
    repair = "No weight's shape may contain the batch size: in `build` it is None."

    def build(self, input_shape):
        super().build(input_shape)
        self.offset = self.add_weight(name="offset", shape=(input_shape[0], self.units))


class KernelOfUnits(Mistake):
    """The input weights have a row for each unit in place of each feature."""

    caught_by = ("call_takes_one_step",)
    caught_on_rnncell = ("build_takes_one_step",)
    repair = "`shape=(input_shape[-1], self.units)`."

    def build(self, input_shape):
        super().build((input_shape[0], self.units))


class MoreArguments(Mistake):
    """`call` needs an argument that `RNN` does not pass."""

    caught_by = ("call_takes_one_step",)
    caught_on_rnncell = ("build_takes_one_step",)
    repair = "Keras 3 has no `constants=`: let each step's inputs carry what every step needs."

    def call(self, inputs, states, constants):
        h = ops.tanh(self.affine(inputs, states[0]) + constants)
        return h, [h]


class ListOfOutputs(Mistake):
    """The output comes in a list."""

    caught_by = ("call_returns_a_pair",)
    repair = "`return h, [h]`: only the states come in a list."

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        return [h], [h]


class StatesInAnotherOrder(Mistake):
    """Two states of different widths are returned in the other order."""

    caught_by = ("states_are_as_declared",)
    repair = "One order for `state_size`, for what `call` takes and for what it returns."

    def __init__(self, units=UNITS, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [units, 2 * units]

    def call(self, inputs, states):
        h, memory = states
        h = ops.tanh(self.affine(inputs, h) + memory[:, : self.units])
        memory = 0.5 * memory + ops.concatenate([h, -h], axis=-1)
        return h, [memory, h]


class StateWrittenInPlace(Mistake):
    """The new state is written into the list of the old ones."""

    caught_by = ("states_are_only_read",)
    repair = "`return h, [h]`, a new list."
    possible_on_rnncell = False

    def call(self, inputs, states):
        states[0] = ops.tanh(self.affine(inputs, states[0]))
        return states[0], list(states)


class LossInside(Mistake):
    """`call` adds a loss."""

    caught_by = ("call_adds_no_loss",)
    repair = "Add it outside: in a layer behind `RNN`, of the outputs, or with `model.add_loss`."

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        self.add_loss(ops.mean(h * h))
        return h, [h]


class FirstStateTooWide(Mistake):
    """The first state is not as wide as the state."""

    caught_by = ("first_states_are_as_declared",)
    repair = "`ops.zeros((batch_size, self.units), dtype=self.compute_dtype)`."

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.units + 1))]

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0][:, : self.units]))
        return h, [h]


class RandomFirstState(Mistake):
    """The first state is drawn anew at each call."""

    caught_by = ("weights_say_all",)
    repair = "Zeros, or a weight made in `build`, which can be learned and saved."

    def __init__(self, units=UNITS, **kwargs):
        super().__init__(units, **kwargs)
        self.seed = keras.random.SeedGenerator()

    def get_initial_state(self, batch_size=None):
        return [keras.random.normal((batch_size, self.units), dtype=self.compute_dtype, seed=None)]


class DividedByState(Mistake):
    """The step divides by the state, and the first state is zero."""

    caught_by = ("numbers_stay_finite",)
    repair = "Bound the divisor away from zero, or begin with ones."

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0])) / states[0]
        return h, [h]


class DropoutAlways(Mistake):
    """Dropout is called as if the cell were always in training."""

    caught_by = ("inference_repeats_itself",)
    repair = "`self.drop(h, training=training)`, with `training=False` among `call`'s arguments."

    def __init__(self, units=UNITS, **kwargs):
        super().__init__(units, **kwargs)
        self.drop = keras.layers.Dropout(0.5, seed=0)

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        h = self.drop(h, training=True)
        return h, [h]


class NumpyNoise(Mistake):
    """Noise is drawn by NumPy."""

    caught_by = ("inference_repeats_itself",)
    repair = "`keras.random` with a `SeedGenerator`, `if training`: NumPy draws once a compilation."

    def call(self, inputs, states):
        noise = np.random.normal(size=self.units)
        h = ops.tanh(self.affine(inputs, states[0]))
        h = h + ops.cast(0.1 * noise, h.dtype)
        return h, [h]


class PythonIf(Mistake):
    """A Python `if` asks for the value of a tensor."""

    caught_by = ("symbolic_shapes_are_real",)
    caught_on_rnncell = ("build_takes_one_step",)
    forgiven_by = ("torch",)
    repair = "`ops.where(condition, a, b)`, for each number by itself."

    def call(self, inputs, states):
        h = self.affine(inputs, states[0])
        if ops.mean(h) > 0:
            h = ops.tanh(h)
        else:
            h = ops.sin(h)
        return h, [h]


class ValueOfATensor(Mistake):
    """The value of a tensor is taken out of the graph."""

    caught_by = ("symbolic_shapes_are_real",)
    caught_on_rnncell = ("build_takes_one_step",)
    forgiven_by = ("torch",)
    repair = "Leave it a tensor: while a model is compiled there is no value yet."

    def call(self, inputs, states):
        scale = float(ops.max(ops.abs(self.kernel)))
        h = ops.tanh(self.affine(inputs, states[0])) / (1 + float(ops.max(inputs)) * scale)
        return h, [h]


class BatchSqueezed(Mistake):
    """Axes of length one are dropped, the batch's too."""

    caught_by = ("a_batch_of_one_is_a_batch",)
    repair = "`ops.squeeze(x, axis=1)`, or `ops.reshape(x, (-1, self.units))`: name the axis."

    def call(self, inputs, states):
        h = ops.squeeze(ops.tanh(self.affine(inputs, states[0])))
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

    caught_by = ("zeros_stay_finite", "masked_steps_give_no_gradient")
    repair = "`ops.sqrt(ops.maximum(total, 1e-6))`: a masked step is computed too, nan and all."

    def call(self, inputs, states):
        norm = ops.sqrt(ops.sum(inputs * inputs, axis=-1, keepdims=True))
        h = ops.tanh(self.affine(ops.divide(inputs, norm), states[0]))
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
    also = ("mixed_precision_computes_in_half",)
    forgiven_by = ("jax", "torch")
    repair = "`ops.ones_like(h)`, or `dtype=self.compute_dtype`."

    def call(self, inputs, states):
        one = keras.ops.convert_to_tensor(np.ones(self.units, "float32"))
        h = ops.tanh(self.affine(inputs, states[0])) * one
        return h, [h]


class NumpyInside(Mistake):
    """A NumPy function is called in the graph."""

    caught_by = ("gradients_are_right", "xla_computes_the_same")
    also = ("xla_computes_the_same",)
    forgiven_by = ("jax", "torch")
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


class SoftmaxOverBatch(Mistake):
    """A softmax runs over the batch and not over the units."""

    caught_by = ("rows_are_independent",)
    repair = "`ops.softmax(a, axis=-1)`, Keras's default."

    def call(self, inputs, states):
        h = ops.softmax(self.affine(inputs, states[0]), axis=0)
        return h, [h]


class CoefficientsByHand(Mistake):
    """The coefficients of all steps are computed by hand, one step late."""

    caught_by = ("parallel_is_the_loop",)
    repair = "Leave `all_coefficients` alone: it calls `coefficients` on all steps."
    diagonal = True

    def all_coefficients(self, sequences, training=False):
        a, b = super().all_coefficients(sequences, training)
        return a, ops.roll(b, 1, axis=1)


class DividedByOneMinus(Mistake):
    """The step divides by one minus the inputs, and padding may be one."""

    caught_by = ("masked_steps_give_no_gradient",)
    repair = "Bound the divisor away from zero: a masked step is computed too, whatever is in it."

    def call(self, inputs, states):
        odds = ops.divide(inputs, ops.subtract(1, inputs))
        h = 0.9 * ops.tanh(self.affine(odds, states[0]))
        return h, [h]


class RootOfARectifier(Mistake):
    """A root is taken of what may be exactly zero."""

    caught_by = ("zeros_stay_finite",)
    forgiven_by = ("jax", "torch")
    repair = "`ops.sqrt(a + 1e-3)`: the derivative of a root at zero is infinite, and times 0, nan."

    def call(self, inputs, states):
        h = ops.tanh(ops.sqrt(ops.relu(self.affine(inputs, states[0]))))
        return h, [h]


class NormAndATinyNumber(Mistake):
    """A norm is kept from zero by a number that float16 does not have."""

    caught_by = ("half_precision_stays_finite",)
    repair = "`ops.sqrt(total + 1e-3)`, or the norm in float32, as Keras's normalization has it."

    def call(self, inputs, states):
        a = self.affine(inputs, states[0])
        total = ops.sum(a * a, axis=-1, keepdims=True)
        h = ops.tanh(a / (ops.sqrt(ops.maximum(total, 1e-12)) + 1e-8))
        return h, [h]


class VarianceAndATinyNumber(Mistake):
    """A variance is kept from zero by a number that float16 does not have."""

    caught_by = ("half_precision_stays_finite",)
    repair = "`keras.layers.LayerNormalization`, which computes in float32, or 1e-3."

    def call(self, inputs, states):
        a = self.affine(inputs, states[0])
        a = a - ops.mean(a, axis=-1, keepdims=True)
        variance = ops.mean(a * a, axis=-1, keepdims=True)
        h = ops.tanh(a / ops.sqrt(variance + 1e-12))
        return h, [h]


class ExponentialOfAnything(Mistake):
    """An exponential is taken of what nothing bounds, and divided by itself."""

    caught_by = ("half_precision_stays_finite",)
    repair = "`ops.sigmoid(a)`: exp(12) is already too large for float16."

    def call(self, inputs, states):
        e = ops.exp(self.affine(8 * inputs, states[0]))
        h = e / (1 + e)
        return h, [h]


class MinusABillion(Mistake):
    """What shall not count gets minus a billion added."""

    caught_by = ("half_precision_stays_finite",)
    repair = "`ops.where(counts, a, -1e4)`: in float16 a billion is infinite, and 0 times it nan."

    def call(self, inputs, states):
        a = self.affine(inputs, states[0])
        counts = ops.cast(a > -10, a.dtype)
        h = ops.tanh(a + (1 - counts) * ops.cast(-1e9, a.dtype))
        return h, [h]


class DtypeOfTheInputs(Mistake):
    """A constant is given the dtype of the inputs."""

    caught_by = ("integers_are_numbers",)
    repair = "`self.compute_dtype`: where the inputs are integers, a half becomes zero."

    def call(self, inputs, states):
        leak = ops.cast(0.5, inputs.dtype)
        h = ops.tanh(self.affine(inputs, states[0]))
        h = ops.multiply(leak, h) + states[0] / 2
        return h, [h]


class WrongDerivative(Mistake):
    """A derivative is written by hand, and wrong."""

    caught_by = ("gradients_are_right",)
    repair = "1 - tanh(a)², or no derivative of your own."

    def call(self, inputs, states):
        @ops.custom_gradient
        def squashed(a):
            def grad(*args, upstream=None):
                upstream = args[0] if upstream is None else upstream
                return upstream * (1 - ops.tanh(a))

            return ops.tanh(a), grad

        h = squashed(self.affine(inputs, states[0]))
        return h, [h]


class RoundedState(Mistake):
    """The state is rounded."""

    caught_by = (
        "mixed_precision_computes_in_half",
        "gradients_are_right",
        "first_state_gets_a_gradient",
    )
    also = ("gradients_are_right",)
    repair = "No `ops.round` in what is trained: its derivative is zero."

    def call(self, inputs, states):
        h = ops.round(8 * ops.tanh(self.affine(inputs, states[0]))) / 8
        return h, [h]


class NarrowInBetween(Mistake):
    """The state is cast to float16 and back."""

    caught_by = ("gradients_are_right",)
    repair = 'Leave the dtype to the policy: `dtype="mixed_float16"` when the cell is made.'
    forgiven_by = ("jax", "torch")

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        h = ops.cast(ops.cast(h, "float16"), self.compute_dtype)
        return h, [h]


class FirstStateOfFloat32(Mistake):
    """The first state is of float32, whatever the cell's dtype is."""

    caught_by = ("first_states_are_as_declared",)
    repair = "`dtype=self.compute_dtype`."

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.units), dtype="float32")]


# Keeping


class ConfigOfArrays(Mistake):
    """An argument is returned from `get_config` as an array."""

    caught_by = ("config_makes_the_same_cell",)
    repair = "`self.scale.tolist()`: a configuration is written as JSON. `RNNCell` does it."
    possible_on_rnncell = False

    def __init__(self, units=UNITS, scale=(1.0, 2.0, 1.0, 2.0), **kwargs):
        super().__init__(units, **kwargs)
        self.scale = np.array(scale, "float32")

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]) * ops.cast(self.scale, self.compute_dtype))
        return h, [h]

    def get_config(self):
        return {"scale": self.scale, **super().get_config()}


class ConfigWithoutBase(Mistake):
    """`get_config` returns the cell's own arguments only."""

    caught_by = ("config_makes_the_same_cell",)
    repair = "`{..., **super().get_config()}`: name, dtype and trainable are the base's."

    def get_config(self):
        return {"units": self.units}


class FromConfigOfDefaults(Mistake):
    """`from_config` makes a cell of the defaults."""

    caught_by = ("config_makes_the_same_cell",)
    repair = "`return cls(**config)`, which is what Keras's own `from_config` does."
    arguments = {"leak": 0.9}

    def __init__(self, units=UNITS, leak=0.5, **kwargs):
        super().__init__(units, **kwargs)
        self.leak = leak

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        h = self.leak * h + (1 - self.leak) * states[0]
        return h, [h]

    def get_config(self):
        return {**super().get_config(), "leak": self.leak}

    @classmethod
    def from_config(cls, config):
        return cls(units=config["units"], dtype=config["dtype"])


class CellAsArgument(Mistake):
    """A cell around another cell returns it from `get_config` as it is."""

    caught_by = ("config_makes_the_same_cell",)
    repair = (
        "`keras.saving.serialize_keras_object(self.inner)` there, and the way back in "
        "`from_config`. `RNNCell` does both."
    )
    possible_on_rnncell = False

    def __init__(self, units=UNITS, inner=None, **kwargs):
        super().__init__(units, **kwargs)
        self.inner = inner or keras.layers.SimpleRNNCell(units)

    def build(self, input_shape):
        super().build(input_shape)
        if not self.inner.built:
            self.inner.build(input_shape)
            self.inner.built = True

    def call(self, inputs, states):
        h, _ = self.inner(inputs, states)
        h = h + 0.1 * self.affine(inputs, states[0])
        return h, [h]

    def get_config(self):
        return {"inner": self.inner, **super().get_config()}


class ListKept(Mistake):
    """A list is kept that belongs to the caller."""

    caught_by = ("config_is_a_copy",)
    repair = "`self.delays = list(delays)`, and a copy from `get_config`. `RNNCell` copies."
    possible_on_rnncell = False

    def __init__(self, units=UNITS, delays=(1, 2), **kwargs):
        super().__init__(units, **kwargs)
        object.__setattr__(self, "delays", delays)

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]) / sum(self.delays))
        return h, [h]

    def get_config(self):
        return {"delays": self.delays, **super().get_config()}


class ConfigRemembered(Mistake):
    """`get_config` says what `__init__` was called with, not what the cell is now."""

    caught_by = ("config_follows_the_attributes",)
    repair = '`{"leak": self.leak, ...}`, read when it is asked for. `RNNCell` does it.'
    possible_on_rnncell = False

    def __init__(self, units=UNITS, leak=0.5, **kwargs):
        super().__init__(units, **kwargs)
        self.leak = leak
        self.called_with = {"leak": leak}

    def call(self, inputs, states):
        h = ops.tanh(self.affine(inputs, states[0]))
        h = self.leak * h + (1 - self.leak) * states[0]
        return h, [h]

    def get_config(self):
        return {**self.called_with, **super().get_config()}


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
    """A function that makes the broken cell on Keras's Layer; None where only ours can have it."""
    if mistake.diagonal:
        return None
    cls = type(mistake.__name__, (mistake, Layered), {"__module__": "zoo"})
    if mistake.registered:
        keras.saving.register_keras_serializable("zoo")(cls)
    return lambda: cls(**mistake.arguments)


def on_rnncell(mistake):
    """The same on RNNCell, or None where its base makes the mistake impossible."""
    if not mistake.possible_on_rnncell:
        return None
    base = Diagonal if mistake.diagonal else Based
    cls = type(mistake.__name__, (mistake, base), {"__module__": "zoo_on_rnncell"})
    return lambda: cls(**mistake.arguments)
