"""Copies of a cell that are made from its configuration, and where they differ from it."""

import contextlib
import inspect
import json

import keras
import numpy as np

from rnncells.testing.found import Found, gist

CONFIG = (
    "keep each argument of __init__ as an attribute, return it from get_config, and take **kwargs "
    "for name, dtype and trainable"
)


def remade(cell, dtype):
    """A new cell of this dtype from the configuration, or from what of it ``__init__`` takes."""
    config = {}
    try:
        config = cell.get_config()
        return _made_from(type(cell), config, dtype)
    except Exception as error:
        name = type(cell).__name__
        repair = _missing_way_back(error, config) or (
            f"{CONFIG}; to run the other checks before that, pass a function, as in "
            f"check_cell(lambda: {name}(...))"
        )
        raise Found(f"no second cell: {gist(error)}", repair) from error


def _made_from(cls, config, dtype):
    taken = inspect.signature(cls.__init__).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken.values()):
        config = _of_dtype(config, config.get("dtype"), dtype)
        return cls.from_config({**config, "dtype": dtype})
    with policy(dtype):
        return cls(**{name: config[name] for name in config if name in taken})


def _of_dtype(value, old, new):
    """A configuration with another dtype, also in those of the layers that it holds."""
    if isinstance(value, list):
        return [_of_dtype(v, old, new) for v in value]
    if not isinstance(value, dict):
        return value
    return {
        name: new if name == "dtype" and v == old else _of_dtype(v, old, new)
        for name, v in value.items()
    }


@contextlib.contextmanager
def policy(name):
    """Keras's dtype policy for a while."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def twin_of(cell):
    """A second cell from the configuration, as it comes back from a file."""
    config = through_json(cell)
    try:
        twin = type(cell).from_config(config)
    except Exception as error:
        raise Found(gist(error), _missing_way_back(error, config)) from error
    _demand_objects(cell, twin)
    return twin


def _missing_way_back(error, config):
    """The repair where ``__init__`` stumbled over the dict that an object had become; or None."""
    for name, value in config.items():
        is_object = isinstance(value, dict) and "class_name" in value and name != "dtype"
        if is_object and "dict'" in str(error).lower():  # as in 'dict' object has no attribute
            return _way_back(name, value["class_name"] == "function")
    return None


def _way_back(name, is_function):
    if is_function:
        return (
            f"write keras.activations.serialize(self.{name}) in get_config, and "
            f"keras.activations.get({name}) in __init__"
        )
    return (
        f"write keras.saving.serialize_keras_object(self.{name}) in get_config, and in from_config "
        f"turn config[{name!r}] back with keras.saving.deserialize_keras_object"
    )


def _demand_objects(cell, twin):
    """Raises Found where a layer or a function came back as the text or dict of its config."""
    for name, was in vars(cell).items():
        now = getattr(twin, name, None)
        if callable(was) and isinstance(now, (str, dict)):
            kind = "str" if isinstance(now, str) else "dict"
            got = f"a {kind} as {name} where it was a {type(was).__name__}"
            raise Found(got, _way_back(name, not isinstance(was, keras.layers.Layer)))


def through_json(cell):
    """The configuration as Keras writes it into a file, and reads it."""
    return {name: _value_through_json(name, value) for name, value in cell.get_config().items()}


def _value_through_json(name, value):
    try:
        if not isinstance(value, (np.ndarray, keras.layers.Layer)):
            value = keras.saving.serialize_keras_object(value)  # as Keras's own saving does
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        raise Found(
            f"a {type(value).__name__} under {name!r} in get_config",
            "a configuration is written as JSON: return a list for an array, and "
            f"keras.saving.serialize_keras_object(self.{name}) for a layer or a cell, which "
            "from_config turns back with keras.saving.deserialize_keras_object",
        ) from None


def demand_same_attributes(cell, twin):
    """Raises Found where an attribute that can be compared is another in the twin."""
    _demand_objects(cell, twin)
    expected, got = _sayable_attributes(cell), _sayable_attributes(twin)
    for name, value in expected.items():
        if got.get(name) != value:
            raise Found(f"{name} = {got.get(name)!r} where it was {value!r}")


# Keras's own attributes, and RNNCell's record of the call that made it
_NOT_THE_AUTHORS = {
    *vars(keras.layers.Layer()),
    "_record",
    "build",
    "_step_shape",
    "_takes_more",
    "name",
    "built",
}


def _sayable_attributes(cell):
    """The attributes that can be compared: numbers, strings, collections, what Keras can save."""
    attributes = {}
    for name, value in vars(cell).items():
        if name not in _NOT_THE_AUTHORS:
            with contextlib.suppress(Exception):
                attributes[name] = _sayable(value)
    return attributes


def _sayable(value):
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (tuple, list)):
        return [_sayable(v) for v in value]
    if isinstance(value, dict):
        # The names of inner layers are counted, their dtype and shapes come with the cell's.
        hidden = ("name", "dtype", "build_config")
        return {k: _sayable(v) for k, v in value.items() if k not in hidden}
    if isinstance(value, (keras.Variable, keras.random.SeedGenerator)):
        raise TypeError("no argument")
    return _sayable(keras.saving.serialize_keras_object(value))
