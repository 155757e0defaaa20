"""Makes a JSON value that conforms to a JSON schema, as Ollama's grammar forces a model to."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from tests.ollama_server.scalars import boolean, choice, integer, number, string

Schema: TypeAlias = Mapping[str, Any]
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


def synthesise(schema: Schema) -> Json:
    """A value for the schema: every property in the schema's order, innocent texts. ValueError if it is beyond us."""
    return _Synthesiser(schema).value(schema, "", 0, frozenset({"#"}))


class _Synthesiser:
    """Walks one schema. `path` holds the references being followed, so that a recursive schema comes to an end."""

    def __init__(self, root: Schema) -> None:
        self._root = root

    def value(self, schema: Schema | bool, name: str, index: int, path: frozenset[str]) -> Json:
        if isinstance(schema, bool):
            return string({}, name, index)
        schema, path = self._resolve(schema, path)
        if "const" in schema:
            const: Json = schema["const"]
            return const
        if "enum" in schema:
            allowed: Json = choice(schema["enum"], index)
            return allowed
        kind = _kind(schema)
        if kind == "object":
            return self._object(schema, path)
        if kind == "array":
            return self._array(schema, name, path)
        return _scalar(kind, schema, name, index)

    def _object(self, schema: Schema, path: frozenset[str]) -> Json:
        required = set(schema.get("required", ()))
        return {
            name: self.value(part, name, 0, path)
            for name, part in schema.get("properties", {}).items()
            if name in required or not _recurs(part, path)
        }

    def _array(self, schema: Schema, name: str, path: frozenset[str]) -> Json:
        fixed = list(schema.get("prefixItems", ()))
        items = schema.get("items", True)
        least = schema.get("minItems", 0)
        wanted = least if _recurs(items, path) else max(least, len(fixed), 2)
        count = min(wanted, schema.get("maxItems", wanted))
        parts = fixed[:count] + [items] * (count - len(fixed))
        return [self.value(part, name, index, path) for index, part in enumerate(parts)]

    def _resolve(self, schema: Schema, path: frozenset[str]) -> tuple[Schema, frozenset[str]]:
        while True:
            if "$ref" in schema:
                path |= {schema["$ref"]}
                schema = {**self._target(schema["$ref"]), **_without(schema, "$ref")}
            elif schema.get("allOf"):
                first, *rest = schema["allOf"]
                merged = _merge(self._resolve(first, path)[0], _without(schema, "allOf"))
                schema = {**merged, "allOf": rest} if rest else merged
            elif branches := schema.get("anyOf") or schema.get("oneOf"):
                schema = _merge(_branch(branches, path), _without(schema, "anyOf", "oneOf"))
            else:
                return schema, path

    def _target(self, reference: str) -> Schema:
        if not reference.startswith("#"):
            raise ValueError(f"reference outside of the schema: {reference}")
        target: Any = self._root
        for token in reference.removeprefix("#").split("/")[1:]:
            target = target[token.replace("~1", "/").replace("~0", "~")]
        found: Schema = target
        return found


def _scalar(kind: str, schema: Schema, name: str, index: int) -> Json:
    if kind == "null":
        return None
    if kind == "boolean":
        return boolean(name)
    if kind == "integer":
        return integer(schema, name)
    if kind == "number":
        return number(schema, name)
    return string(schema, name, index)


def _kind(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return next((one for one in kind if one != "null"), "null")
    if kind is None:
        return "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind)


def _branch(branches: list[Schema], path: frozenset[str]) -> Schema:
    """The first that says something; null only where all else would never end."""
    ending = [branch for branch in branches if not _recurs(branch, path)] or branches
    return next((branch for branch in ending if branch.get("type") != "null"), ending[0])


def _recurs(schema: Schema | bool, path: frozenset[str]) -> bool:
    if isinstance(schema, bool):
        return False
    branches = schema.get("anyOf") or schema.get("oneOf") or ()
    return schema.get("$ref") in path or (bool(branches) and all(_recurs(one, path) for one in branches))


def _merge(base: Schema, more: Schema) -> Schema:
    merged = {**base, **more}
    for key in ("properties", "$defs"):
        if key in base and key in more:
            merged[key] = {**base[key], **more[key]}
    if "required" in base and "required" in more:
        merged["required"] = [*base["required"], *more["required"]]
    return merged


def _without(schema: Schema, *keys: str) -> Schema:
    return {key: value for key, value in schema.items() if key not in keys}
