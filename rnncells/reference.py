"""The cells once more, in NumPy alone: the oracle that the package is tested against.

Each cell is two functions. ``*_step`` computes one step; ``*_step_back`` takes the derivatives
of a loss with respect to the new states and returns those with respect to everything that the
step read. ``forward`` and ``backward`` run them through time. Nothing here knows Keras:

    weights = W, U, b                                   # as in cell.get_weights()
    outputs, states, tape = forward(lstm_step, x, [h, c], weights)
    d_x, d_states, d_weights = backward(lstm_step_back, tape, d_outputs, d_states, weights)

Shapes, for every function below:
    x: (batch, steps, features), or (batch, features) for one step.
    h, c, and each derivative of them: (batch, units).
    W: (features, gates * units); U: (units, gates * units); b: (gates * units,), or
    (2, gates * units) for the GRU that resets after the product; the linear cell has no b, and the
    minGRU no U.

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
        d_x (batch, steps, features); d_states, for the first states; d_weights, summed over
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
    d_c = d_c + d_h * o * (1 - np.tanh(new_c) ** 2)  # h sees c through the output gate
    d_i = d_c * g * i * (1 - i)  # sigmoid' = sigmoid (1 - sigmoid)
    d_f = d_c * c * f * (1 - f)
    d_g = d_c * i * (1 - g**2)
    d_o = d_h * np.tanh(new_c) * o * (1 - o)
    d_a = np.concatenate([d_i, d_f, d_g, d_o], axis=-1)
    return d_a @ W.T, [d_a @ U.T, d_c * f], [x.T @ d_a, h.T @ d_a, d_a.sum(axis=0)]


# GRU, reset after the product: g = tanh(x W_g + b_g + r (h U_g + d_g)); b is (2, 3 * units)


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


def sigmoid(a):
    """1 / (1 + exp(-a)), written so that no large number is exponentiated."""
    return 0.5 * (1 + np.tanh(0.5 * a))
