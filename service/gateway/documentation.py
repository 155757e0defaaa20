"""The description of the routes as a page for people: plain HTML, nothing from elsewhere."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
section { border-top: 1px solid var(--line); padding: .5rem 0 1rem; }
h2 { margin-top: 3rem; } h3 { margin-bottom: .25rem; overflow-wrap: anywhere; }
.method { background: var(--soft); border: 1px solid var(--line); border-radius: .3rem; padding: 0 .4rem; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; font-weight: 600; padding-top: .5rem; }
th, td { border: 1px solid var(--line); padding: .2rem .5rem; overflow-wrap: anywhere; }
th, td { text-align: left; vertical-align: top; }
"""

_METHODS = ("get", "post", "put", "patch", "delete")


def documentation(description: Mapping[str, Any]) -> str:
    """The page of an OpenAPI description."""
    title = escape(description["info"]["title"])
    body = "\n".join([*_routes(description), *_schemas(description)])
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}: the HTTP API</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>\n'
        f"<h1>{title}: the HTTP API</h1>\n<p>For programs: <a href="
        f'"/openapi.json">/openapi.json</a>. Every error has the same body, <a href="#Error">Error</a>.</p>\n'
        f"{body}\n</body></html>\n"
    )


def _routes(description: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>Routes</h2>"
    for path, operations in description["paths"].items():
        for method in _METHODS:
            if method in operations:
                yield _route(method, path, operations[method])


def _route(method: str, path: str, operation: Mapping[str, Any]) -> str:
    parts = [
        f'<section id="{escape(operation["operationId"])}"><h3><span class="method">{method.upper()}</span> ',
        f"<code>{escape(path)}</code></h3><p>{escape(operation['tags'][0])}.{escape(operation['summary'])}</p>",
    ]
    if operation["parameters"]:
        rows = [(each["name"], each["in"], _kind(each["schema"])) for each in operation["parameters"]]
        parts.append(_table("Parameters", ("name", "in", "what"), rows))
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        parts.append(f"<p>Body: {_kind(schema)}</p>")
    parts.append(f"<p>Answers: {', '.join(_answers(operation['responses']))}</p></section>")
    return "".join(parts)


def _answers(responses: Mapping[str, Any]) -> Iterator[str]:
    for status, response in responses.items():
        if status.startswith("2"):
            for media, content in response.get("content", {"": {"schema": {}}}).items():
                yield f"{status} {escape(media)} {_kind(content['schema'])}"


def _schemas(description: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>What they hold</h2>"
    for name, schema in description["components"]["schemas"].items():
        required = schema.get("required", ())
        rows = [
            (field, "always" if field in required else "", _kind(kind)) for field, kind in schema["properties"].items()
        ]
        head = f'<section id="{escape(name)}"><h3><code>{escape(name)}</code></h3>'
        yield f"{head}{_table('Fields', ('name', 'there', 'what'), rows)}</section>"


def _table(caption: str, heads: tuple[str, ...], rows: list[tuple[str, str, str]]) -> str:
    head = "".join(f'<th scope="col">{each}</th>' for each in heads)
    body = "".join(f"<tr><td><code>{escape(a)}</code></td><td>{escape(b)}</td><td>{c}</td></tr>" for a, b, c in rows)
    return f"<table><caption>{caption}</caption><tr>{head}</tr>{body}</table>"


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a few words, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}"><code>{name}</code></a>'
    if "enum" in schema:
        return "one of " + ", ".join(f"<code>{escape(each)}</code>" for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}{_bounds(schema)}"
    return f"{escape(schema.get('format') or schema.get('type', ''))}{_bounds(schema)}"


def _bounds(schema: Mapping[str, Any]) -> str:
    words = {"minimum": "from", "maximum": "to", "minLength": "at least", "maxLength": "at most", "maxItems": "at most"}
    told = [f"{words[key]} {schema[key]}" for key in words if key in schema and abs(schema[key]) < 2**31 - 1]
    pattern = [f"<code>{escape(schema['pattern'])}</code>"] if "pattern" in schema else []
    return "".join(f", {each}" for each in (*told, *pattern))
