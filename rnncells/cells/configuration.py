"""What a cell was made with, kept so that a file makes the same cell again."""

import dataclasses
import functools
import inspect

import keras
import numpy as np


class Configured(keras.layers.Layer):
    """A Keras layer that writes its own ``get_config``.

    Every constructor of the class and of its bases is recorded while it runs: what it was called
    with, and the defaults of what nobody passed. That is the configuration. A class is registered
    for saving under the name of the package that it lies in, so that its file can move; a class
    whose package has another class of the same name says ``class Mine(RNNCell, package="mine")``.
    """

    def __init_subclass__(cls, package=None, **kwargs):
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = _recorded(cls.__init__)
        _register(cls, package or cls.__module__.partition(".")[0])

    def __init__(self, **kwargs):
        try:
            super().__init__(**kwargs)
        except ValueError as error:
            if "Unrecognized keyword" not in str(error):
                raise
            unknown = set(kwargs) - {"name", "dtype", "trainable", "activity_regularizer"}
            known = sorted({*self._record.arguments, "name", "dtype", "trainable"} - unknown)
            raise TypeError(
                f"{type(self).__name__}: expected arguments that it has ({', '.join(known)}); got"
                f" {', '.join(sorted(unknown))}."
            ) from None

    def get_config(self):
        """The constructor's arguments by name, so that ``from_config`` makes the same cell.

        An attribute that was set after construction, as in ``cell.activation = relu``, is saved
        in its argument's place.

        Raises:
            ValueError: ``__init__`` takes no ``**kwargs``, or takes ``*args``; an attribute was
                changed that the constructor had computed from its argument.
        """
        self._demand_a_constructor_that_can_be_called_again()
        arguments = {
            name: _encoded(self._as_it_is_now(name, value))
            for name, value in self._record.arguments.items()
        }
        return {**arguments, **super().get_config()}

    @classmethod
    def from_config(cls, config):
        """Makes a cell from what ``get_config`` returned."""
        return cls(**{k: v if k == "dtype" else _decoded(v) for k, v in config.items()})

    def _constructed(self):
        """Called when the outermost constructor is done."""
        attributes = {k: _copied(v) for k, v in vars(self).items() if k in self._record.arguments}
        self._record.attributes |= attributes

    def _demand_a_constructor_that_can_be_called_again(self):
        signature = inspect.signature(type(self).__init__)
        kinds = {parameter.kind for parameter in signature.parameters.values()}
        if inspect.Parameter.VAR_KEYWORD not in kinds or inspect.Parameter.VAR_POSITIONAL in kinds:
            expected = "**kwargs for super().__init__ and no *args, or the cell cannot be loaded"
            raise self._error("__init__", expected, signature)

    def _as_it_is_now(self, name, argument):
        made = self._record.attributes.get(name, argument)
        now = vars(self).get(name, made)
        if isinstance(now, keras.Variable) or _same(now, made):
            return argument
        if _same(made, argument) or (_names_something(argument) and callable(made)):
            return now
        expected = "the value that the constructor computed, since it is not its argument"
        raise self._error(name, expected, f"{now!r}, set later: make a new cell instead")

    def _error(self, what, expected, got):
        return ValueError(f"{type(self).__name__}: {what}: expected {expected}; got {got}.")


@dataclasses.dataclass
class Record:
    """What is known of a construction. An argument that a subclass fixes is not in it."""

    arguments: dict  # by name; defaults of the inherited constructors included
    attributes: dict = dataclasses.field(default_factory=dict)  # of those names, once constructed


def _recorded(init):
    """A constructor that keeps what it is called with; the outermost one of a class goes first."""
    signature = inspect.signature(init)

    @functools.wraps(init)
    def constructor(self, *args, **kwargs):
        outermost = "_record" not in vars(self)
        args, kwargs = _copied(args), _copied(kwargs)
        given = _by_name(type(self), signature, args, kwargs)
        if outermost:
            object.__setattr__(self, "_record", Record(dict(given)))
        for name, parameter in signature.parameters.items():
            if name not in given and parameter.default is not inspect.Parameter.empty:
                self._record.arguments.setdefault(name, parameter.default)
        init(self, *args, **kwargs)
        if outermost:
            self._constructed()

    constructor.__signature__ = signature  # Keras asks for it in a way that does not unwrap
    return constructor


def _by_name(cls, signature, args, kwargs):
    """The arguments of ``cls(*args, **kwargs)`` by name, without defaults."""
    try:
        given = signature.bind(None, *args, **kwargs).arguments
    except TypeError as error:
        takes = str(signature).replace("(self, ", "(")
        raise TypeError(f"{cls.__name__}: {error}; it takes {takes}.") from None
    named = dict(list(given.items())[1:])  # without self
    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            named |= named.pop(name, {})
    return named


def _register(cls, package):
    """Registers for saving; two classes cannot share a name, but one may be defined again."""
    name = f"{package}>{cls.__name__}"
    other = keras.saving.get_registered_object(name)
    if other is not None and other.__module__ != cls.__module__:
        raise TypeError(
            f"{cls.__name__}: expected a name that no other cell of the package {package} has,"
            f" since a file is loaded by it; got the name of one in {other.__module__}: choose"
            f' another, or write package="..." beside the base class.'
        )
    keras.saving.register_keras_serializable(package)(cls)


def _copied(value):
    """A copy of collections, so that whoever handed them in may change them."""
    if isinstance(value, dict):
        return {k: _copied(v) for k, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return value
    if isinstance(value, (list, tuple, set)):
        kind = next(k for k in (list, tuple, set) if isinstance(value, k))
        return kind(map(_copied, value))
    return value.copy() if isinstance(value, np.ndarray) else value


def _same(a, b):
    if a is b:
        return True
    try:
        return bool(np.all(np.asarray(a == b)))
    except (TypeError, ValueError):
        return False


def _names_something(argument):
    """Whether Keras makes a function or an object of it, as of "tanh"."""
    return argument is None or isinstance(argument, (str, dict))


def _encoded(value):
    """As JSON has no tuples, one is written as a dict."""
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return {"__tuple__": [_encoded(v) for v in value]}
    if isinstance(value, list):
        return [_encoded(v) for v in value]
    if type(value) is dict:
        return {k: _encoded(v) for k, v in value.items()}
    return keras.saving.serialize_keras_object(value)


def _decoded(value):
    if isinstance(value, dict) and set(value) == {"__tuple__"}:
        return tuple(map(_decoded, value["__tuple__"]))
    if isinstance(value, list):
        return [_decoded(v) for v in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {k: _decoded(v) for k, v in value.items()}
    return keras.saving.deserialize_keras_object(value)
