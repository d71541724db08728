"""Training on two devices, and in two processes, ends where training on one device does.

What is compared is the program that a reader can run, ``experiments/distributed.py``. Devices are
made before a back end starts, so it runs in a process of its own for each back end.
"""

import concurrent.futures
import contextlib
import importlib.util
import multiprocessing
import os
import socket

import numpy as np
import pytest

BACK_ENDS = [
    "tensorflow",
    pytest.param(
        "jax",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("jax") is None,
            reason="JAX is not installed: pip install jax, and both back ends are tested.",
        ),
    ),
]
READERS = [
    "RNN(SimpleRNNCell)",
    "RNN(LSTMCell)",
    "RNN(GRUCell)",
    "RNN(LeakyCell)",
    "ParallelRNN(MinGRUCell)",
]
BOUND = 1e-5
MINUTES = 10

pytestmark = pytest.mark.slow


def run(task, *args):
    """In the other process: calls a task of this module with the program."""
    from experiments import distributed

    return task(distributed, *args)


def begin(back_end):
    os.environ["KERAS_BACKEND"] = back_end


@contextlib.contextmanager
def another_process(back_end):
    spawn = multiprocessing.get_context("spawn")  # a fork would inherit this back end
    pool = concurrent.futures.ProcessPoolExecutor(1, spawn, begin, (back_end,))
    number = pool.submit(os.getpid).result(timeout=60 * MINUTES)
    try:
        yield pool
    finally:  # not asked to end: the back ends' threads can keep it from that
        for process in multiprocessing.active_children():
            if process.pid == number:
                process.kill()


@pytest.fixture(scope="module", params=BACK_ENDS)
def there(request):
    """``there(task, *args)`` is ``task(program, *args)`` where the program has two devices."""
    with another_process(request.param) as pool:

        def there(task, *args):
            return pool.submit(run, task, *args).result(timeout=60 * MINUTES)

        assert there(its_back_end) == request.param
        yield there


def its_back_end(program):
    return program.keras.backend.backend()


# The rules: each yields what is wrong with a comparison.


def both_devices_had_half(found):
    half = found["batch"] // 2
    if list(found["rows"].values()) != [[half], [half]]:
        yield f"expected two devices with {half} rows each; got {found['rows']}"


def something_was_learnt(found):
    if found["moved"] < 100 * BOUND:
        yield f"the weights moved by {found['moved']:.1e}: too little to compare"


def weights_are_the_same(found):
    if not found["weights"] <= BOUND:
        yield f"the weights differ by {found['weights']:.1e}"


def predictions_are_the_same(found):
    if not found["predictions"] <= BOUND:
        yield f"the predictions differ by {found['predictions']:.1e}"


RULES = [
    both_devices_had_half,
    something_was_learnt,
    weights_are_the_same,
    predictions_are_the_same,
]


def broken_rules(found):
    return {rule.__name__ for rule in RULES if list(rule(found))}


def compared(program, reader):
    return program.compare(reader) | {"batch": program.BATCH}


@pytest.mark.parametrize("reader", READERS)
def test_two_devices_train_as_one(there, reader):
    found = there(compared, reader)
    assert [complaint for rule in RULES for complaint in rule(found)] == []


def its_readers(program):
    return list(program.READERS)


def test_every_reader_of_the_program_is_tested(there):
    assert there(its_readers) == READERS


# The proof that the rules can fail: something broken on purpose, and the rules that see it.


def on_two(program):
    """Whether the code around is being built for two devices."""
    if program.BACKEND == "tensorflow":
        return program.tf.distribute.has_strategy()
    return program.keras.distribution.distribution() is not None


def gradients_are_added(program, patch):
    """As where two replicas' gradients are summed and nobody divides by two."""

    class Doubled(program.keras.optimizers.Adam):
        def apply(self, grads, trainable_variables=None):
            return super().apply([2 * g for g in grads], trainable_variables)

    usual = program.optimizer

    def optimizer():
        return Doubled(0.01, epsilon=0.01) if on_two(program) else usual()

    patch.setattr(program, "optimizer", optimizer)


def all_read_the_first_half(program, patch):
    usual, half = program.digits, program.BATCH // 2

    def digits():
        x, y = usual()
        if not on_two(program):
            return x, y
        row = program.np.arange(len(x))
        row = row - row % program.BATCH + row % half
        return x[row], y[row]

    patch.setattr(program, "digits", digits)


def one_device_works(program, patch):
    if program.BACKEND == "tensorflow":
        strategy = program.tf.distribute.MirroredStrategy(["CPU:0"])
    else:
        strategy = program.keras.distribution.DataParallel(devices=["cpu:0"])
    patch.setattr(program, "two_devices", lambda: strategy)


def all_read_the_whole_batch(program, patch):
    """The batch is copied, not divided. On JAX the weights are right, at twice the work."""
    if program.BACKEND == "tensorflow":
        strategy = program.two_devices()
        patch.setattr(
            strategy,
            "experimental_distribute_dataset",
            lambda dataset, options=None: strategy.distribute_datasets_from_function(
                lambda context: dataset
            ),
        )
    else:
        layout = program.keras.distribution.TensorLayout
        patch.setattr(
            program.keras.distribution.DataParallel,
            "get_data_layout",
            lambda self, shape: layout([None] * len(shape), self.device_mesh),
        )


def nothing_is_learnt(program, patch):
    patch.setattr(program, "optimizer", lambda: program.keras.optimizers.SGD(0.0))


def predictions_change_places(program, patch):
    usual = program.train

    def train(reader):
        trained = usual(reader)
        return trained._replace(predictions=trained.predictions[::-1])

    patch.setattr(program, "train", train)


BROKEN = {
    gradients_are_added: {"weights_are_the_same", "predictions_are_the_same"},
    all_read_the_first_half: {"weights_are_the_same", "predictions_are_the_same"},
    one_device_works: {"both_devices_had_half"},
    all_read_the_whole_batch: {"both_devices_had_half"},
    nothing_is_learnt: {"something_was_learnt"},
    predictions_change_places: {"predictions_are_the_same"},
}


def broken(program, breakage):
    program.alone(READERS[0])  # whole, and kept: what is broken is the training on two
    with pytest.MonkeyPatch.context() as patch:
        breakage(program, patch)
        return compared(program, READERS[0])


@pytest.mark.parametrize("breakage", BROKEN, ids=lambda breakage: breakage.__name__)
def test_each_break_is_seen(there, breakage):
    assert broken_rules(there(broken, breakage)) >= BROKEN[breakage]


def test_every_rule_has_its_break():
    assert {rule.__name__ for rule in RULES} == set().union(*BROKEN.values())


# A batch that two devices cannot share evenly.


def uneven(program, images, batch):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "IMAGES", images)
        patch.setattr(program, "BATCH", batch)
        program.alone.cache_clear()
        try:
            return compared(program, READERS[0])
        except Exception as error:  # the back ends' own, of several classes
            return f"{type(error).__name__}: {error}"
        finally:
            program.alone.cache_clear()


def test_a_shorter_last_batch_is_no_matter_if_it_is_even(there):
    found = there(uneven, 112, 32)
    assert list(found["rows"].values()) == [[8, 16], [8, 16]]
    assert broken_rules(found) == {"both_devices_had_half"}


def test_an_odd_batch_is_refused(there):
    said = there(uneven, 99, 33)
    assert "must have the same size and shape" in said or "implies that array axis 0" in said


def test_an_odd_last_batch_is_refused_on_jax_and_weighed_wrongly_on_tensorflow(there):
    """Each replica's mean counts for a half, whether it has 16 rows or 15, or 1 and none."""
    found = there(uneven, 127, 32)
    if there(its_back_end) == "jax":
        assert found.startswith(("IndivisibleError", "ValueError"))
    else:
        assert found["rows"] == {"CPU:0": [16], "CPU:1": [15, 16]}
        assert "weights_are_the_same" in broken_rules(found)


# Two processes with two devices each, as on two hosts. JAX alone: Keras 3.15.1's ``fit`` fails
# under TensorFlow's MultiWorkerMirroredStrategy. Needs a free port of this machine.


def on_one_of_two_hosts(program, number, port):
    """Trains on this host's half of each batch, and returns the weights."""
    keras, half = program.keras, program.BATCH // 2
    keras.distribution.initialize(f"127.0.0.1:{port}", num_processes=2, process_id=number)
    x, y = program.digits()
    row = program.np.arange(len(x))
    own = row // half % 2 == number
    with keras.distribution.DataParallel(auto_shard_dataset=False).scope():
        model, witness, _ = program.fit(READERS[1], x[own], y[own], half)
        weights = model.get_weights()
    program.jax.distributed.shutdown()  # waits for the other host, which must not have to wait
    return witness.rows, weights


def on_one_host(program):
    return program.alone(READERS[1]).weights


@pytest.mark.parametrize("there", BACK_ENDS[1:], indirect=True)
def test_two_hosts_train_as_one(there):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with another_process("jax") as first, another_process("jax") as second:
        hosts = [
            pool.submit(run, on_one_of_two_hosts, number, port)
            for number, pool in enumerate([first, second])
        ]
        results = [host.result(timeout=60 * MINUTES) for host in hosts]
    expected = there(on_one_host)
    for rows, weights in results:
        assert sorted(rows.values()) == [[8]] * 4
        for one, two in zip(expected, weights, strict=True):
            np.testing.assert_allclose(two, one, rtol=0, atol=BOUND)
