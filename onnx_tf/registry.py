"""The table of operator handlers: which function serves which operator since which version.

A handler is a plain function of TensorFlow tensors. Inputs are positional parameters in schema
order (an absent optional input is ``None``), attributes are keyword-only parameters under their
ONNX names, and the result is a tensor or a tuple in schema order::

    @onnx_op("Softmax", since=13)
    def softmax(x, *, axis):
        return tf.nn.softmax(x, axis=axis)

A keyword-only parameter called ``context`` receives the :class:`NodeContext`; it is the only
keyword-only parameter that is not an attribute.
"""

from __future__ import annotations

import bisect
import functools
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from onnx_tf.budget import Budget
from onnx_tf.errors import OptionError

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = [
    "ATTENTION_DOMAIN",
    "BARRIER_DOMAIN",
    "CHANNELS_LAST_DOMAIN",
    "DENSE_DOMAIN",
    "DIFFERENTIATED_DOMAIN",
    "INTERNAL_DOMAINS",
    "PACKED_DOMAIN",
    "PADDED_DOMAIN",
    "STEPS",
    "Handler",
    "NodeContext",
    "Registry",
    "normalize_domain",
    "onnx_op",
    "registry",
]

CHANNELS_LAST_DOMAIN = "onnx_tf.channels_last"
"""Domain of operators with their ai.onnx schema whose data is N, spatial..., C (see layout/).

Only data tensors are permuted: the images that an operator reads and writes, also the Indices of
MaxPool and MaxUnpool, whose numbers still count in ONNX order. Attributes and all other inputs
(filters, scales, sizes, roi, axes, pads, grid, offset, mask) keep their ONNX meaning, axis
numbers and order.
"""

PACKED_DOMAIN = "onnx_tf.channels_last_packed"
"""As :data:`CHANNELS_LAST_DOMAIN`, and filters are spatial..., C/group, M as TensorFlow takes them.

``passes/pack_weights.py`` moves convolutions with constant filters here, after the layout is
chosen; no other pass makes or needs these nodes.
"""

PADDED_DOMAIN = "onnx_tf.padded"
"""Domain of NonMaxSuppression whose result has as many rows as could be selected, the selected ones first.

A second output tells how many those are, int32[1] (``passes/pad_selections.py``)."""

INTERNAL_DOMAINS = (CHANNELS_LAST_DOMAIN, PACKED_DOMAIN, PADDED_DOMAIN)
"""Domains whose operators have the schema of the ai.onnx operator of the same name."""

DIFFERENTIATED_DOMAIN = "onnx_tf.differentiated"
"""Domain of Gradient nodes with the attributes ``body``, the function, and ``count``: how many of
its inputs it is differentiated by. ONNX states these by names of values in the same graph, which
passes change."""

BARRIER_DOMAIN = "onnx_tf.barrier"
"""Domain of Barrier nodes, which return their input and are merged with nothing (``passes/keep_apart.py``).

Their attribute ``variables_only`` says that merging is wanted where weights are constants."""

DENSE_DOMAIN = "onnx_tf.dense"
"""Domain of Dense nodes: a product by a constant matrix, and a constant vector added (``passes/join_biases.py``)."""

ATTENTION_DOMAIN = "onnx_tf.attention"
"""Domain of MultiHeadAttention nodes: attention with its projections (``passes/recognize_attention.py``).

Inputs are query, value and key, each batch, time, features; then kernel and bias of query, key and value, features,
heads, size, and heads, size; those of the result, heads, size, features, and features; and which keys each query
attends to, as booleans that broadcast to batch, heads, queries, keys. Biases and the last input may be left out.
Attributes are ``is_causal``, whether no query attends to what is behind it, and ``dropout``, a share of weights."""

STEPS = "onnx_tf.steps:"
"""How ``_implements`` begins, an attribute of functions that stand for a quantisation; JSON of its steps follows."""

LEGACY_ATTRIBUTES = frozenset({"consumed_inputs"})
"""Attributes of opset 1 that were storage hints and never had a meaning for the result."""

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class NodeContext:
    """What a handler may know of its node besides tensors and attributes.

    Attributes:
        name: the node's name, for error messages.
        op_type: the ONNX operator.
        domain: the operator's domain.
        version: the opset version the model imports for that domain.
        outputs: for each output of the node, whether something uses it.
        input_dtypes: for each input, its ONNX dtype where it is present and known. TensorFlow
            carries narrow dtypes in others, see :mod:`onnx_tf.dtypes`.
        lower_bounds: for each input, what it is known to hold no number below; -inf where nothing is known.
        is_batch_of_data: whether only data decide the first dimension of the first input: it may be 0.
        training: whether the model is prepared for training.
        frozen: whether all weights are constants.
        budget: what a handler that writes something out may still make.
    """

    name: str
    op_type: str
    domain: str
    version: int
    outputs: tuple[bool, ...]
    input_dtypes: tuple[ir.DataType | None, ...] = ()
    lower_bounds: tuple[float, ...] = ()
    is_batch_of_data: bool = False
    training: bool = False
    frozen: bool = False
    budget: Budget = field(default_factory=Budget, repr=False, compare=False)

    @property
    def bounded_below(self) -> tuple[bool, ...]:
        """For each input, whether it is known to hold no -inf."""
        return tuple(bound > -math.inf for bound in self.lower_bounds)

    @property
    def onnx_domain(self) -> str:
        """The domain of the operator as the model has it, for error messages."""
        return "" if self.domain in INTERNAL_DOMAINS else self.domain


@dataclass(frozen=True)
class Handler:
    """A function that computes an operator from schema version ``since`` on.

    Attributes:
        function: the handler function.
        target: the target that it is for, ``""`` for all.
        attributes: its keyword-only parameters besides ``context``.
        keyword_defaults: the defaults of those parameters, used only for operators without a
            schema: for others the schema states them.
        wants_context: whether it takes the :class:`NodeContext`.
        takes_any_attribute: whether it takes ``**attributes``.
        limits: what it does not do, and whose numbers it gives where the standard has no text: the
            paragraphs of its docstring that start with ``Limits:``.
    """

    domain: str
    op_type: str
    since: int
    function: Callable[..., Any]
    target: str
    attributes: frozenset[str]
    keyword_defaults: Mapping[str, Any]
    wants_context: bool
    takes_any_attribute: bool
    limits: str = ""

    @property
    def described(self) -> str:
        """The function's place, as in ``swish of my_module``."""
        name = getattr(self._innermost, "__qualname__", type(self._innermost).__name__)
        return f"{name} of {getattr(self._innermost, '__module__', 'an unknown module')}"

    @functools.cached_property
    def takes(self) -> tuple[int, float]:
        """How many inputs the function takes: at least, and at most."""
        parameters = inspect.signature(self.function).parameters.values()
        given = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        is_open = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        return sum(p.default is p.empty for p in given), math.inf if is_open else len(given)

    @property
    def is_of_this_package(self) -> bool:
        """Whether it is no user's."""
        return str(getattr(self._innermost, "__module__", "")).startswith("onnx_tf.")

    @functools.cached_property
    def _innermost(self) -> Any:
        """The function inside of partials and decorators."""
        function: Any = self.function
        while True:
            inner = function.func if isinstance(function, functools.partial) else getattr(function, "__wrapped__", None)
            if inner is None:
                return function
            function = inner


def normalize_domain(domain: str) -> str:
    """Return the domain with ``ai.onnx`` written as the empty string, as in ONNX files."""
    return "" if domain == "ai.onnx" else domain


class Registry:
    """A table (domain, operator) -> handlers by the version from which each holds."""

    def __init__(self, forms: Sequence[str] = (), advice: str = "") -> None:
        """Make an empty table.

        Args:
            forms: the targets whose handlers go before those for all, the first named first.
            advice: why an operator has no handler and what to do, where it is not to register one.
        """
        self.advice = advice
        self._handlers: dict[tuple[str, str], list[Handler]] = {}
        self._forms = (*forms, "")

    def register(
        self,
        op_type: str,
        function: Callable[..., Any],
        *,
        since: int,
        domain: str,
        target: str = "",
        override: bool = False,
    ) -> None:
        """Add a handler.

        Raises:
            OptionError: there already is one for that operator, version and target, of another function.
        """
        domain = normalize_domain(domain)
        parameters = inspect.signature(function).parameters.values()
        keywords = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        handler = Handler(
            domain=domain,
            op_type=op_type,
            since=since,
            function=function,
            target=target,
            attributes=frozenset(keywords.keys() - {"context"}),
            keyword_defaults={name: value for name, value in keywords.items() if value is not inspect.Parameter.empty},
            wants_context="context" in keywords,
            takes_any_attribute=any(p.kind is p.VAR_KEYWORD for p in parameters),
            limits=_limits(function),
        )
        known = [h for h in self.of(domain, op_type) if (h.since, h.target) == (since, target)]
        if not self.add(handler, replacing=override or any(_is_same(h.function, function) for h in known)):
            raise OptionError(
                f"{domain or 'ai.onnx'}.{op_type} has a handler since version {since} already, {known[0].described}: "
                "pass override=True to take its place, or since=VERSION to hold from another version on"
            )

    def add(self, handler: Handler, *, replacing: bool) -> bool:
        """Add a handler, and tell whether it is in the table now.

        Args:
            handler: the handler.
            replacing: whether it takes the place of one for the same operator, version and target.
        """
        versions = self._handlers.setdefault((handler.domain, handler.op_type), [])
        same = [h for h in versions if (h.since, h.target) == (handler.since, handler.target)]
        if same and not replacing:
            return False
        for other in same:
            versions.remove(other)
        bisect.insort(versions, handler, key=lambda h: h.since)
        return True

    def unregister(self, op_type: str, *, since: int, domain: str = "", target: str = "") -> None:
        """Remove the handler registered for exactly that operator, version and target."""
        key = (normalize_domain(domain), op_type)
        self._handlers[key] = [h for h in self._handlers[key] if (h.since, h.target) != (since, target)]

    def find(self, domain: str, op_type: str, version: int) -> Handler | None:
        """Return the handler that holds at an opset version, or ``None``."""
        versions = self._handlers.get((normalize_domain(domain), op_type), ())
        holding = [h for h in reversed(versions) if h.since <= version]
        return next((h for form in self._forms for h in holding if h.target == form), None)

    def supports(self, domain: str, op_type: str, version: int) -> bool:
        """Tell whether an operator has a handler at an opset version."""
        return self.find(domain, op_type, version) is not None

    def supports_channels_last(self, op_type: str, version: int) -> bool:
        """Tell whether an operator of ai.onnx has a handler for channels-last data at an opset version."""
        first, last = (self.find(domain, op_type, version) for domain in ("", CHANNELS_LAST_DOMAIN))
        # A newer handler for ai.onnx alone is a user's own: it is the one to be called.
        return first is not None and last is not None and first.since == last.since

    def versions(self, domain: str, op_type: str) -> tuple[int, ...]:
        """Return the versions from which each handler of an operator holds."""
        versions = self._handlers.get((normalize_domain(domain), op_type), ())
        return tuple(dict.fromkeys(h.since for h in versions if h.target in self._forms))

    def of(self, domain: str, op_type: str) -> Sequence[Handler]:
        """Return the handlers of an operator, by version."""
        return tuple(self._handlers.get((normalize_domain(domain), op_type), ()))

    def handlers(self) -> Iterable[Handler]:
        """Return all handlers by domain, operator and version."""
        return [h for _, versions in sorted(self._handlers.items()) for h in versions]

    def snapshot(self, forms: Sequence[str] = ()) -> Registry:
        """Return a copy that later registrations do not change.

        Args:
            forms: see :class:`Registry`.
        """
        copy = Registry(forms)
        copy._handlers = {key: list(versions) for key, versions in self._handlers.items()}
        return copy


def _is_same(one: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """Return whether a function is another's new definition, as where a notebook's cell is run again."""
    places = [(getattr(f, "__module__", None), getattr(f, "__qualname__", "<")) for f in (one, other)]
    return places[0] == places[1] and "<lambda>" not in places[0][1] and not str(places[0][0]).startswith("onnx_tf.")


def _limits(function: Callable[..., Any]) -> str:
    if "Limits:" not in (function.__doc__ or ""):
        return ""
    paragraphs = (inspect.getdoc(function) or "").split("\n\n")
    stated = (p.removeprefix("Limits:") for p in paragraphs if p.startswith("Limits:"))
    return " ".join(" ".join(text.split()) for text in stated)


registry = Registry()
"""The handlers of this process; ``prepare`` works on a snapshot of it."""


def onnx_op(
    op_type: str, *, since: int = 1, domain: str = "", target: str = "", override: bool = False
) -> Callable[[Function], Function]:
    """Register the decorated function as the handler of an operator.

    Args:
        op_type: the operator's name in ONNX.
        since: the opset version of the domain from which the function holds, until the next
            handler of the same operator. Its keyword-only parameters are the attributes of
            every schema version in that range.
        domain: the operator's domain; the default is ai.onnx.
        target: the name of the one target that the function is for (see :mod:`onnx_tf.targets`), where
            the form of a kernel must differ; it goes before the one for all.
        override: take the place of a handler for the same operator, domain, version and target. A function
            of the same module and name takes it without, as where a notebook's cell is run again.

    Raises:
        OptionError: there already is another handler for that operator, domain, version and target, or no
            operator is named.
    """
    if not isinstance(op_type, str):
        name = getattr(op_type, "__name__", "NAME")
        raise OptionError(f"@onnx_op needs the operator's name: write @onnx_op({name.title()!r}), with its ONNX name")

    def decorate(function: Function) -> Function:
        registry.register(op_type, function, since=since, domain=domain, target=target, override=override)
        return function

    return decorate


def register_table(
    table: Mapping[str, Callable[..., Any]], *, since: int | Mapping[str, int] = 1, domain: str = ""
) -> None:
    """Register a family of operators that each are one TensorFlow function of their inputs."""
    for op_type, function in table.items():
        version = since if isinstance(since, int) else since.get(op_type, 1)
        registry.register(op_type, function, since=version, domain=domain)
