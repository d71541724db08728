"""The LSTM with layer normalization before its gates."""

from keras import ops

from rnncells.cells.lstm import LSTMCell


class LayerNormLSTMCell(LSTMCell):
    """Long short-term memory with layer normalization.

        i, f, g, o = norm(x W; a_x) + norm(h U; a_h) + b      (four blocks of ``units`` columns)
        c = sigma(f) * c + sigma(i) * phi(g)
        h = sigma(o) * phi(norm(c; a_c) + b_c)

    where norm brings each row v of a batch to mean zero and variance one, over all its columns:

        norm(v; a) = a * (v - mean(v)) / sqrt(mean((v - mean(v)) ** 2) + epsilon)

    The state c itself is not normalized. These are the paper's equations; its three biases
    in the first line, of which only the sum matters, are one here. (In TensorFlow Addons' cell of
    this name the normalized c goes into the state.)

    Args:
        units: Positive int, the width of the hidden state h, the cell state c and the output.
        epsilon: Added to the variance, so that nothing is divided by zero.
        **kwargs: The arguments of LSTMCell. With ``use_bias=False`` there is neither b nor b_c.

    Shapes:
        x: (batch, features); h, c, output: (batch, units).
        W ``kernel``: (features, 4 * units); U ``recurrent_kernel``: (units, 4 * units);
        b ``bias``: (4 * units,); blocks in the order i, f, g, o.
        a_x ``kernel_gain``, a_h ``recurrent_gain``: (4 * units,).
        a_c ``state_gain``, b_c ``state_bias``: (units,).

    Raises:
        ValueError: ``units`` is not a positive int.

    Reference:
        Ba, Kiros and Hinton, "Layer normalization", 2016, supplementary material.
    """

    def __init__(self, units, *, epsilon=1e-3, **kwargs):
        super().__init__(units, **kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        super().build(input_shape)
        names = {"kernel_gain": 4, "recurrent_gain": 4, "state_gain": 1}
        for name, blocks in names.items():
            gain = self.add_weight(name=name, shape=(blocks * self.units,), initializer="ones")
            setattr(self, name, gain)
        self.state_bias = None
        if self.use_bias:
            self.state_bias = self.add_weight(
                name="state_bias", shape=(self.units,), initializer="zeros"
            )

    def call(self, inputs, states):
        sigma, phi = self.recurrent_activation, self.activation
        h, c = states
        i, f, g, o = ops.split(self.normed_affine(inputs, h), 4, axis=-1)
        c = sigma(f) * c + sigma(i) * phi(g)
        h = sigma(o) * phi(self.norm(c, self.state_gain, self.state_bias))
        return h, [h, c]

    def normed_affine(self, inputs, h):
        """``norm(inputs @ kernel) + norm(h @ recurrent_kernel) + bias``: (batch, 4 * units)."""
        from_x = ops.matmul(self.drop_inputs(inputs), self.kernel)
        from_h = ops.matmul(self.drop_state(h), self.recurrent_kernel)
        from_h = self.norm(from_h, self.recurrent_gain, self.bias)
        return self.norm(from_x, self.kernel_gain) + from_h

    def norm(self, v, gain, bias=None):
        """Each row of v at mean zero and variance one, times the gain, plus the bias."""
        return ops.layer_normalization(v, gain, bias, epsilon=self.epsilon)
