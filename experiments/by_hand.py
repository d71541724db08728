"""A training step of an LSTM whose backward pass is written by hand, for TensorFlow.

The gradients of the weights need one product for all steps, after the loop; only the gradients of
the states are sequential. Chapter 10 shows this code, and ``tests/test_by_hand.py`` compares it
with automatic differentiation, with central differences, and with what the chapter shows.
"""

import tensorflow as tf


def loop(step, states, rows, reverse=False):
    """Runs ``states, row = step(states, rows[t])``; returns all rows."""
    steps = rows.shape[0]

    def body(n, states, written):
        t = steps - 1 - n if reverse else n
        states, row = step(states, rows[t])
        return n + 1, states, written.write(t, row)

    start = 0, states, tf.TensorArray(rows.dtype, steps)
    *_, written = tf.while_loop(lambda n, *_: n < steps, body, start)
    return written.stack()


def gates(a):
    i, f, g, o = tf.split(a, 4, axis=-1)
    return tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)


def forward(x, W, U, b):
    """a, h and c of all steps, each (steps, batch, its width)."""
    W_and_U, n = tf.concat([W, U], 0), U.shape[0]

    def step(states, x_t):
        h, c = states
        a = tf.concat([x_t, h], -1) @ W_and_U + b
        i, f, g, o = gates(a)
        c = f * c + i * g
        h = o * tf.tanh(c)
        return [h, c], tf.concat([a, h, c], -1)

    zeros = tf.zeros((x.shape[1], n), x.dtype)
    return tf.split(loop(step, [zeros, zeros], x), [4 * n, n, n], -1)


def before(states):
    """The states before each step, from those after it."""
    return tf.concat([0 * states[:1], states[:-1]], 0)


def derivatives(saved):
    """Those inside a step: f, h by c, and c or h by the four parts of a."""
    a, h, c = saved
    i, f, g, o = gates(a)
    h_by_c = o * (1 - tf.tanh(c) ** 2)
    c_by_a = [g * i * (1 - i), before(c) * f * (1 - f), i * (1 - g**2)]
    h_by_a = tf.tanh(c) * o * (1 - o)
    return tf.concat([f, h_by_c, *c_by_a, h_by_a], -1)


def backward(x, W, U, saved, d_h):
    """The gradients with respect to W, U and b; d_h is that of the last h."""

    def step(d, derivatives_t):
        (d_h, d_c), (f, h_by_c, *by_a) = d, tf.split(derivatives_t, 6, -1)
        d_c += d_h * h_by_c
        d_a = tf.concat([d_c, d_c, d_c, d_h], -1) * tf.concat(by_a, -1)
        return [d_a @ tf.transpose(U), d_c * f], d_a

    d_a = loop(step, [d_h, 0 * d_h], derivatives(saved), reverse=True)
    read = tf.concat([x, before(saved[1])], -1)
    d_W_and_U = tf.tensordot(read, d_a, [[0, 1], [0, 1]])  # one product
    d_W, d_U = tf.split(d_W_and_U, [W.shape[0], U.shape[0]])
    return d_W, d_U, tf.reduce_sum(d_a, [0, 1])
