"""The cells once more, in NumPy alone: the oracle that the package is tested against.

Each cell is two functions. ``*_step`` computes one step; ``*_step_back`` takes the derivatives
of a loss with respect to the new states and returns those with respect to everything that the
step read. ``forward`` and ``backward`` run them through time. Nothing here imports Keras:

    weights = W, U, b                                   # as in cell.get_weights()
    outputs, states, tape = forward(lstm_step, x, [h, c], weights)
    d_x, d_states, d_weights = backward(lstm_step_back, tape, d_outputs, d_states, weights)

Shapes, for every function below:
    x: (batch, steps, features), or (batch, features) for one step.
    h, c, and each derivative of them: (batch, units).
    W: (features, gates * units); U: (units, gates * units); b: (gates * units,), or
    (2, gates * units) for the GRU that resets after the product; the linear cell has no b, and the
    minGRU no U. What else a cell has is written above its functions.

``d_name`` is the derivative of the loss with respect to ``name`` and has its shape. The
derivations are those of Werbos, "Backpropagation through time: what it does and how to do it",
1990, applied to each cell's equations.
"""

import numpy as np


def forward(step, x, states, weights):
    """Runs a step function over a sequence.

    Returns:
        outputs (batch, steps, units), the first state after each step; the list of final
        states; and the tape, what each step needs to go back.
    """
    outputs, tape = [], []
    for t in range(x.shape[1]):
        states, saved = step(x[:, t], states, weights)
        outputs.append(states[0])
        tape.append(saved)
    return np.stack(outputs, axis=1), states, tape


def backward(step_back, tape, d_outputs, d_states, weights):
    """Runs a backward step function through time, from the last step to the first.

    Args:
        step_back: The backward function of the step that wrote the tape.
        tape: What ``forward`` returned.
        d_outputs: (batch, steps, units), the loss's derivative for each output; zeros where
            the loss does not see the output.
        d_states: The loss's derivative for each final state; often zeros.
        weights: The same as forward's.

    Returns:
        d_x (batch, steps, features); d_states, for the initial states; d_weights, summed over
        the batch and the steps.
    """
    d_x = [None] * len(tape)
    d_weights = [np.zeros_like(w) for w in weights]
    for t in reversed(range(len(tape))):
        d_h, *d_others = d_states
        d_h = d_h + d_outputs[:, t]  # the step after this one read h, and so did the loss
        d_x[t], d_states, d_step = step_back([d_h, *d_others], tape[t], weights)
        d_weights = [total + part for total, part in zip(d_weights, d_step, strict=True)]
    return np.stack(d_x, axis=1), d_states, d_weights


# h = x W + h U


def linear_step(x, states, weights):
    (h,), (W, U) = states, weights
    return [x @ W + h @ U], (x, h)


def linear_step_back(d_states, saved, weights):
    (d_h,), (x, h), (W, U) = d_states, saved, weights
    return d_h @ W.T, [d_h @ U.T], [x.T @ d_h, h.T @ d_h]


# h = tanh(x W + h U + b)


def simple_step(x, states, weights):
    (h,), (W, U, b) = states, weights
    new_h = np.tanh(x @ W + h @ U + b)
    return [new_h], (x, h, new_h)


def simple_step_back(d_states, saved, weights):
    (d_h,), (x, h, new_h), (W, U, _) = d_states, saved, weights
    d_a = d_h * (1 - new_h**2)  # a = x W + h U + b, and tanh' = 1 - tanh^2
    return d_a @ W.T, [d_a @ U.T], [x.T @ d_a, h.T @ d_a, d_a.sum(axis=0)]


# i, f, g, o = x W + h U + b;  c = sigmoid(f) c + sigmoid(i) tanh(g);  h = sigmoid(o) tanh(c)


def lstm_step(x, states, weights):
    (h, c), (W, U, b) = states, weights
    i, f, g, o = np.split(x @ W + h @ U + b, 4, axis=-1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    new_c = f * c + i * g
    new_h = o * np.tanh(new_c)
    return [new_h, new_c], (x, h, c, i, f, g, o, new_c)


def lstm_step_back(d_states, saved, weights):
    (d_h, d_c), (x, h, c, i, f, g, o, new_c), (W, U, _) = d_states, saved, weights
    d_c = d_c + d_h * o * (1 - np.tanh(new_c) ** 2)  # c is seen through o
    d_i = d_c * g * i * (1 - i)  # sigmoid' = sigmoid (1 - sigmoid)
    d_f = d_c * c * f * (1 - f)
    d_g = d_c * i * (1 - g**2)
    d_o = d_h * np.tanh(new_c) * o * (1 - o)
    d_a = np.concatenate([d_i, d_f, d_g, d_o], axis=-1)
    return d_a @ W.T, [d_a @ U.T, d_c * f], [x.T @ d_a, h.T @ d_a, d_a.sum(axis=0)]


# GRU, reset after the product: g = tanh(x W_g + b_g + r (h U_g + b'_g)); b is (2, 3 * units)


def gru_reset_after_step(x, states, weights):
    (h,), (W, U, b) = states, weights
    xz, xr, xg = np.split(x @ W + b[0], 3, axis=-1)
    hz, hr, hg = np.split(h @ U + b[1], 3, axis=-1)
    z, r = sigmoid(xz + hz), sigmoid(xr + hr)
    g = np.tanh(xg + r * hg)
    return [z * h + (1 - z) * g], (x, h, z, r, g, hg)


def gru_reset_after_step_back(d_states, saved, weights):
    (d_h,), (x, h, z, r, g, hg), (W, U, _) = d_states, saved, weights
    d_z = d_h * (h - g) * z * (1 - z)
    d_g = d_h * (1 - z) * (1 - g**2)
    d_r = d_g * hg * r * (1 - r)
    d_from_x = np.concatenate([d_z, d_r, d_g], axis=-1)
    d_from_h = np.concatenate([d_z, d_r, d_g * r], axis=-1)  # the candidate sees h through r
    d_b = np.stack([d_from_x.sum(axis=0), d_from_h.sum(axis=0)])
    d_weights = [x.T @ d_from_x, h.T @ d_from_h, d_b]
    return d_from_x @ W.T, [d_from_h @ U.T + d_h * z], d_weights


# GRU, reset before the product: g = tanh(x W_g + b_g + (r h) U_g); b is (3 * units,)


def gru_reset_before_step(x, states, weights):
    (h,), (W, U, b) = states, weights
    xz, xr, xg = np.split(x @ W + b, 3, axis=-1)
    U_z, U_r, U_g = np.split(U, 3, axis=-1)
    z, r = sigmoid(xz + h @ U_z), sigmoid(xr + h @ U_r)
    g = np.tanh(xg + (r * h) @ U_g)
    return [z * h + (1 - z) * g], (x, h, z, r, g)


def gru_reset_before_step_back(d_states, saved, weights):
    (d_h,), (x, h, z, r, g), (W, U, _) = d_states, saved, weights
    U_z, U_r, U_g = np.split(U, 3, axis=-1)
    d_z = d_h * (h - g) * z * (1 - z)
    d_g = d_h * (1 - z) * (1 - g**2)
    d_rh = d_g @ U_g.T  # the candidate sees the product r h
    d_r = d_rh * h * r * (1 - r)
    d_a = np.concatenate([d_z, d_r, d_g], axis=-1)
    d_U = np.concatenate([h.T @ d_z, h.T @ d_r, (r * h).T @ d_g], axis=-1)
    d_first = d_h * z + d_rh * r + d_z @ U_z.T + d_r @ U_r.T
    return d_a @ W.T, [d_first], [x.T @ d_a, d_U, d_a.sum(axis=0)]


# minGRU: z, g = x W + b;  h = sigmoid(z) h + (1 - sigmoid(z)) g


def mingru_step(x, states, weights):
    (h,), (W, b) = states, weights
    z, g = np.split(x @ W + b, 2, axis=-1)
    z = sigmoid(z)
    return [z * h + (1 - z) * g], (x, h, z, g)


def mingru_step_back(d_states, saved, weights):
    (d_h,), (x, h, z, g), (W, _) = d_states, saved, weights
    d_z = d_h * (h - g) * z * (1 - z)
    d_a = np.concatenate([d_z, d_h * (1 - z)], axis=-1)
    return d_a @ W.T, [d_h * z], [x.T @ d_a, d_a.sum(axis=0)]


# Peephole LSTM: i and f see the old c, o the new one; weights W, U, b, p; p is (3, units), i f o


def peephole_step(x, states, weights):
    (h, c), (W, U, b, p) = states, weights
    i, f, g, o = np.split(x @ W + h @ U + b, 4, axis=-1)
    i, f, g = sigmoid(i + p[0] * c), sigmoid(f + p[1] * c), np.tanh(g)
    new_c = f * c + i * g
    o = sigmoid(o + p[2] * new_c)
    return [o * np.tanh(new_c), new_c], (x, h, c, i, f, g, o, new_c)


def peephole_step_back(d_states, saved, weights):
    (d_h, d_c), (x, h, c, i, f, g, o, new_c), (W, U, _, p) = d_states, saved, weights
    d_o = d_h * np.tanh(new_c) * o * (1 - o)
    d_c = d_c + d_h * o * (1 - np.tanh(new_c) ** 2) + d_o * p[2]  # c is also seen by o
    d_i = d_c * g * i * (1 - i)
    d_f = d_c * c * f * (1 - f)
    d_g = d_c * i * (1 - g**2)
    d_a = np.concatenate([d_i, d_f, d_g, d_o], axis=-1)
    d_p = np.stack([np.sum(d * seen, axis=0) for d, seen in [(d_i, c), (d_f, c), (d_o, new_c)]])
    d_first = [d_a @ U.T, d_c * f + d_i * p[0] + d_f * p[1]]
    return d_a @ W.T, d_first, [x.T @ d_a, h.T @ d_a, d_a.sum(axis=0), d_p]


# Layer-normalized LSTM: i, f, g, o = a_x n(x W) + a_h n(h U) + b;  c as in the LSTM;
# h = sigmoid(o) tanh(a_c n(c) + b_c);  weights W, U, b, a_x, a_h, a_c, b_c

EPSILON = 1e-3  # what LayerNormLSTMCell adds to the variance


def layer_norm_step(x, states, weights):
    (h, c), (W, U, b, a_x, a_h, a_c, b_c) = states, weights
    n_x, n_h = normalize(x @ W), normalize(h @ U)
    i, f, g, o = np.split(a_x * n_x[0] + a_h * n_h[0] + b, 4, axis=-1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    new_c = f * c + i * g
    n_c = normalize(new_c)
    shown = np.tanh(a_c * n_c[0] + b_c)
    return [o * shown, new_c], (x, h, c, i, f, g, o, n_x, n_h, n_c, shown)


def layer_norm_step_back(d_states, saved, weights):
    (d_h, d_c), (x, h, c, i, f, g, o, n_x, n_h, n_c, shown) = d_states, saved
    W, U, _, a_x, a_h, a_c, _ = weights
    d_shown = d_h * o * (1 - shown**2)
    d_c = d_c + normalize_back(d_shown * a_c, n_c)
    d_i = d_c * g * i * (1 - i)
    d_f = d_c * c * f * (1 - f)
    d_g = d_c * i * (1 - g**2)
    d_o = d_h * shown * o * (1 - o)
    d_a = np.concatenate([d_i, d_f, d_g, d_o], axis=-1)
    d_xW, d_hU = normalize_back(d_a * a_x, n_x), normalize_back(d_a * a_h, n_h)
    sums = [d_a, d_a * n_x[0], d_a * n_h[0], d_shown * n_c[0], d_shown]  # b, a_x, a_h, a_c, b_c
    d_weights = [x.T @ d_xW, h.T @ d_hU, *(d.sum(axis=0) for d in sums)]
    return d_xW @ W.T, [d_hU @ U.T, d_c * f], d_weights


def normalize(v):
    """Each row at mean zero and variance one, and what it was divided by, (batch, 1)."""
    centred = v - v.mean(axis=-1, keepdims=True)
    spread = np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + EPSILON)
    return centred / spread, spread


def normalize_back(d_n, normalized):
    """The derivative for v: that for n, without what would move a row's mean or its spread."""
    n, spread = normalized
    along = np.mean(d_n * n, axis=-1, keepdims=True)
    return (d_n - d_n.mean(axis=-1, keepdims=True) - n * along) / spread


# Minimal gated unit: f writes;  g = tanh(x W_g + b_g + (f h) U_g);  h = (1 - f) h + f g


def mgu_step(x, states, weights):
    (h,), (W, U, b) = states, weights
    xf, xg = np.split(x @ W + b, 2, axis=-1)
    U_f, U_g = np.split(U, 2, axis=-1)
    f = sigmoid(xf + h @ U_f)
    g = np.tanh(xg + (f * h) @ U_g)
    return [(1 - f) * h + f * g], (x, h, f, g)


def mgu_step_back(d_states, saved, weights):
    (d_h,), (x, h, f, g), (W, U, _) = d_states, saved, weights
    U_f, U_g = np.split(U, 2, axis=-1)
    d_g = d_h * f * (1 - g**2)
    d_fh = d_g @ U_g.T  # the candidate sees the product f h
    d_f = (d_h * (g - h) + d_fh * h) * f * (1 - f)
    d_a = np.concatenate([d_f, d_g], axis=-1)
    d_U = np.concatenate([h.T @ d_f, (f * h).T @ d_g], axis=-1)
    d_first = d_h * (1 - f) + d_fh * f + d_f @ U_f.T
    return d_a @ W.T, [d_first], [x.T @ d_a, d_U, d_a.sum(axis=0)]


# IndRNN: h = relu(x W + u h + b), number by number; u is (units,)


def indrnn_step(x, states, weights):
    (h,), (W, u, b) = states, weights
    new_h = np.maximum(x @ W + u * h + b, 0)
    return [new_h], (x, h, new_h)


def indrnn_step_back(d_states, saved, weights):
    (d_h,), (x, h, new_h), (W, u, _) = d_states, saved, weights
    d_a = d_h * (new_h > 0)
    return d_a @ W.T, [d_a * u], [x.T @ d_a, np.sum(d_a * h, axis=0), d_a.sum(axis=0)]


# Zoneout around any cell: s = k s_old + (1 - k) s_new for each state


def zoneout(step, step_back, keep):
    """The two functions of a cell, with zoneout.

    Args:
        step, step_back: The two functions of the cell.
        keep: An iterator that gives k for each state at each step: the rate, as at inference, or
            an array of zeros and ones (batch, units), as in training.
    """

    def zoned_step(x, states, weights):
        new, saved = step(x, states, weights)
        k = next(keep)
        return [a * old + (1 - a) * s for a, old, s in zip(k, states, new, strict=True)], (k, saved)

    def zoned_step_back(d_states, saved, weights):
        k, saved = saved
        d_new = [(1 - a) * d for a, d in zip(k, d_states, strict=True)]
        d_x, d_old, d_weights = step_back(d_new, saved, weights)
        kept = [a * d for a, d in zip(k, d_states, strict=True)]
        return d_x, [d + e for d, e in zip(d_old, kept, strict=True)], d_weights

    return zoned_step, zoned_step_back


def sigmoid(a):
    """1 / (1 + exp(-a)), written so that no large number is exponentiated."""
    return 0.5 * (1 + np.tanh(0.5 * a))
