"""Every handler agrees with the schemas it serves, and every schema has a handler or a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest

import onnx_tf.handlers  # noqa: F401  (registers them)
from onnx_tf.registry import INTERNAL_DOMAINS, LEGACY_ATTRIBUTES, Handler, registry
from onnx_tf.targets import LITERT, LITERT_QUANTIZED

UNSUPPORTED: dict[tuple[str, str], str] = {}
"""Operators without handler and function body, as (domain, operator), and why."""

TABLES = (registry, registry.snapshot(LITERT.forms), registry.snapshot(LITERT_QUANTIZED.forms))

SCHEMAS = [s for s in onnx.defs.get_all_schemas_with_history() if not s.deprecated]


def _label(schema: onnx.defs.OpSchema) -> str:
    return f"{schema.domain or 'ai.onnx'}.{schema.name}-{schema.since_version}"


def _served() -> Iterator[tuple[Handler, onnx.defs.OpSchema]]:
    """Yield every handler with every schema version that it serves, those of targets included."""
    for schema in SCHEMAS:
        for domain in ("", *INTERNAL_DOMAINS) if schema.domain == "" else (schema.domain,):
            found = [table.find(domain, schema.name, schema.since_version) for table in TABLES]
            for handler in {id(handler): handler for handler in found if handler is not None}.values():
                yield handler, schema


def _is_supported(schema: onnx.defs.OpSchema) -> bool:
    handler = registry.find(schema.domain, schema.name, schema.since_version)
    return handler is not None or schema.has_function or schema.has_context_dependent_function


def test_handlers_of_every_domain_are_seen():
    assert {handler.domain for handler, _ in _served()} >= set(INTERNAL_DOMAINS)


def test_parameters_are_the_attributes_of_the_schema():
    wrong = []
    for handler, schema in _served():
        attributes = set(schema.attributes) - LEGACY_ATTRIBUTES
        if not handler.takes_any_attribute and handler.attributes != attributes:
            extra, missing = handler.attributes - attributes, attributes - handler.attributes
            wrong.append(f"{_label(schema)} ({handler.domain}): superfluous {set(extra)}, missing {set(missing)}")
    assert not wrong, "\n".join(wrong)


def test_no_handler_restates_schema_defaults():
    restated = {_label(schema) for handler, schema in _served() if handler.keyword_defaults}
    assert not restated


def test_handlers_start_at_a_schema_version():
    versions: dict[tuple[str, str], set[int]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        versions.setdefault((schema.domain, schema.name), set()).add(schema.since_version)
    for handler in registry.handlers():
        domain = "" if handler.domain in INTERNAL_DOMAINS else handler.domain
        known = versions.get((domain, handler.op_type))
        if known is None or (handler.since < min(known) and handler.keyword_defaults):
            continue  # ONNX Runtime's own operator, or its form from before it became a standard one
        assert handler.since in known, f"{handler.op_type}: no schema version {handler.since}"


@pytest.mark.parametrize("schema", SCHEMAS, ids=_label)
def test_every_schema_version_is_supported_or_listed(schema):
    reason = UNSUPPORTED.get((schema.domain, schema.name))
    if reason is None:
        assert _is_supported(schema), "no handler and no function body: write one, or list it with the reason"
    else:
        assert not _is_supported(schema), "listed as unsupported, but it is supported: remove it from the list"


def test_listed_operators_exist():
    assert UNSUPPORTED.keys() <= {(schema.domain, schema.name) for schema in SCHEMAS}


def test_every_family_has_property_tests():
    """Families are the modules of handlers; com.microsoft's are checked from tables of cases."""
    folders = [Path(__file__).parents[1] / name for name in ("properties", "handlers")]
    texts = [path.read_text(encoding="utf-8") for folder in folders for path in folder.glob("test_*.py")]
    words = set(re.findall(r"\w+", "".join(text for text in texts if "@given" in text)))
    families: dict[str, set[str]] = {}
    for handler in registry.handlers():
        families.setdefault(handler.function.__module__, set()).add(handler.op_type)
    ours = {name: ops for name, ops in families.items() if name.startswith("onnx_tf.") and "com_microsoft" not in name}
    untested = [name for name, ops in ours.items() if not ops & words]
    assert untested == []
