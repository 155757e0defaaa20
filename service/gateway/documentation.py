"""The description of the routes as a page for people: plain HTML, nothing from elsewhere."""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

STYLE = """
:root { background: Canvas; color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 64rem; padding: 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
nav ul { columns: 24rem; list-style: none; margin: 0; padding: 0; } nav li { overflow-wrap: anywhere; }
section { border-top: 1px solid var(--line); padding: .5rem 0 1rem; }
h2 { margin-top: 3rem; } h3 { margin-bottom: .25rem; overflow-wrap: anywhere; } p { margin: .5rem 0; }
.method { background: var(--soft); border: 1px solid var(--line); border-radius: .3rem; padding: 0 .4rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; font-weight: 600; padding-top: .5rem; }
th, td { border: 1px solid var(--line); padding: .2rem .5rem; text-align: left; vertical-align: top; }
td code { overflow-wrap: anywhere; } td a { white-space: nowrap; } td:last-child { min-width: 16rem; }
td:first-child { white-space: nowrap; } td small { display: block; }
"""

_METHODS = ("get", "post", "put", "patch", "delete")

# What is set in backquotes, names that hold an underscore, and those in capitals.
_CODE = re.compile(r"`([^`]+)`|\b(\w+_\w+|[A-Z]{6,})\b")

_PACKAGE = re.compile(r"^([a-z0-9]+\.)+")

_BOUNDS = {"minimum": "from", "maximum": "to", "minLength": "at least", "maxLength": "at most", "maxItems": "at most"}

Described = Mapping[str, Any]


def documentation(description: Described) -> str:
    """The page of an OpenAPI description."""
    title = escape(description["info"]["title"])
    body = "\n".join([_contents(description), *_services(description), *_schemas(description)])
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}: the HTTP API</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body><main><h1>{title}: the HTTP API</h1>\n<p>{_text(description['info'])} For programs: <a href="
        f'"/openapi.json">/openapi.json</a>. Every error has the same body, <a href="#Error">Error</a>.</p>\n'
        f"{body}\n</main></body></html>\n"
    )


def _operations(description: Described, tag: str) -> Iterator[tuple[str, str, Described]]:
    for path, operations in description["paths"].items():
        for method in _METHODS:
            if method in operations and tag in operations[method]["tags"]:
                yield method.upper(), path, operations[method]


def _contents(description: Described) -> str:
    links = [
        f'<li><a href="#{escape(each["operationId"])}">{method} <code>{escape(path)}</code></a></li>'
        for tag in description["tags"]
        for method, path, each in _operations(description, tag["name"])
    ]
    return f'<nav aria-label="Routes"><ul>{"".join(links)}</ul></nav>'


def _services(description: Described) -> Iterator[str]:
    for tag in description["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2><p>{_text(tag)}</p>"
        for method, path, operation in _operations(description, tag["name"]):
            yield _route(method, path, operation)


def _route(method: str, path: str, operation: Described) -> str:
    rows = [
        (
            _named(each["name"], "required" if each.get("required") else ""),
            each["in"],
            _kind(each["schema"]),
            _text(each),
        )
        for each in operation["parameters"]
    ]
    return "".join(
        [
            f'<section id="{escape(operation["operationId"])}"><h3><span class="method">{method}</span> ',
            f"<code>{escape(path)}</code></h3><p>{_text(operation) or escape(operation['summary'])}</p>",
            _table("Parameters", ("name", "in", "what", ""), rows),
            *_body(operation),
            *_answers(operation["responses"]),
            "</section>",
        ]
    )


def _body(operation: Described) -> Iterator[str]:
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        needed = "" if operation["requestBody"]["required"] else ", may be left out"
        if "$ref" in schema:
            yield f"<p>Body: {_kind(schema)}{needed}</p>"
        elif schema["properties"]:
            yield _table(f"Body{needed}", _FIELD_HEADS, list(_fields(schema, "required")))


def _answers(responses: Described) -> Iterator[str]:
    for status, response in responses.items():
        if status.startswith("2"):
            yield _answer(status, response)


def _answer(status: str, response: Described) -> str:
    content = response.get("content", {})
    events = content.get("text/event-stream", {}).get("x-event-data")
    if events is not None:
        rows = [(*_event(each), _text(each)) for each in events["oneOf"]]
        media = " or ".join(_code(each) for each in content)
        return f"<p>{status}: {_text(response)} As {media}.</p>{_table('Events', ('type', 'data', ''), rows)}"
    kinds = [_kind(each["schema"]) for each in content.values()]
    return f"<p>{status}: {', '.join(kinds) or _text(response)}</p>"


def _event(schema: Described) -> tuple[str, str]:
    """The type and the data of a kind of event, nested or flat."""
    own, data = schema.get("allOf", (schema, None))
    return _code(own["properties"]["type"]["const"]), _kind(data or own["properties"]["data"])


def _schemas(description: Described) -> Iterator[str]:
    yield "<h2>What they hold</h2>"
    for name, schema in description["components"]["schemas"].items():
        yield f'<section id="{escape(name)}"><h3><code>{escape(name)}</code></h3><p>{_text(schema)}</p>'
        if "enum" in schema:
            told = schema.get("x-enum-descriptions", [""] * len(schema["enum"]))
            rows = [(_code(value), _marked(text)) for value, text in zip(schema["enum"], told, strict=True)]
            yield _table("Values", ("value", ""), rows)
        else:
            word = "required" if name.endswith(".Input") else "always"
            yield _table("Fields", _FIELD_HEADS, list(_fields(schema, word)))
            yield from (f"<p>Not together: {_marked(' and '.join(pair))}.</p>" for pair in _exclusive(schema))
        yield "</section>"


_FIELD_HEADS = ("name", "what", "")


def _fields(schema: Described, word: str, prefix: str = "") -> Iterator[Sequence[str]]:
    for name, kind in schema["properties"].items():
        named = _named(f"{prefix}{name}", word if name in schema.get("required", ()) else "")
        yield named, _kind(kind), _text(kind)
        if "properties" in kind:
            yield from _fields(kind, word, f"{prefix}{name}.")


def _exclusive(schema: Described) -> Iterator[Sequence[str]]:
    yield from (each["required"] for each in schema.get("not", {}).get("anyOf", ()))


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML; nothing without rows."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{each}</th>' if each else "<td></td>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    table = f"<table><caption>{caption}</caption><tr>{head}</tr>{body}</table>"
    # Wider than a small screen at times: who has no mouse scrolls it by the keyboard.
    return f'<div class="scroll" role="group" aria-label="{caption}" tabindex="0">{table}</div>'


def _kind(schema: Described) -> str:
    """A schema in a few words, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}"><code>{_PACKAGE.sub("", name)}</code></a>'
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}{_bounds(schema)}"
    return f"{escape(schema.get('format') or schema.get('type', ''))}{_bounds(schema)}"


def _bounds(schema: Described) -> str:
    told = [f"{word} {schema[key]}" for key, word in _BOUNDS.items() if key in schema and abs(schema[key]) < 2**31 - 1]
    pattern = [_code(schema["pattern"])] if "pattern" in schema else []
    return "".join(f", {each}" for each in (*told, *pattern))


def _named(name: str, remark: str) -> str:
    return _code(name) + (f"<small>{remark}</small>" if remark else "")


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _text(described: Described) -> str:
    return _marked(described.get("description", ""))


def _marked(text: str) -> str:
    """A comment as HTML."""
    return _CODE.sub(lambda found: f"<code>{found[1] or found[2]}</code>", escape(text, quote=False))
