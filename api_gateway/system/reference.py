"""The API reference as one page, made from the OpenAPI document.

No script and nothing from elsewhere: it works offline and under the strictest policy, which
the usual viewers, loaded from a CDN, do not.
"""

import json
from collections.abc import Iterator
from html import escape
from typing import Any

PAGE_CSP = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; } h3 { margin: 1.2rem 0 .3rem; font-size: 1rem; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0; }
summary { cursor: pointer; padding: .5rem .8rem; } details > div { padding: 0 .8rem .8rem; }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .6rem; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top; }
.method { display: inline-block; min-width: 4.2rem; font-weight: 700; }
"""


def reference_page(document: dict[str, Any]) -> str:
    info = document["info"]
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'>"
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style>"
        f"<h1>{escape(info['title'])} API</h1>"
        f"<pre>{escape(info.get('description', ''))}</pre>"
        "<p>The same for programs: <a href=openapi.json>openapi.json</a></p>"
        + "".join(_sections(document))
        + "<h2 id=schemas>Schemas</h2>"
        + "".join(
            f"<details id='{escape(name)}'><summary><code>{escape(name)}</code></summary>"
            f"<div>{_json(schema)}</div></details>"
            for name, schema in sorted(document["components"]["schemas"].items())
        )
    )


def _sections(document: dict[str, Any]) -> Iterator[str]:
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2><p>{escape(tag['description'])}</p>"
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if tag["name"] in operation.get("tags", []):
                    yield _operation(method, path, operation)


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    body = operation.get("requestBody", {}).get("content", {})
    return (
        f"<details id='{escape(operation['operationId'])}'><summary>"
        f"<code><span class=method>{method.upper()}</span>{escape(path)}</code> "
        f"{escape(operation.get('summary', ''))}</summary><div>"
        f"<p>{escape(operation.get('description', ''))}</p>"
        + _parameters(operation.get("parameters", []))
        + "".join(
            f"<h3>Body, {escape(kind)}</h3>{_schema(c['schema'])}" for kind, c in body.items()
        )
        + "<h3>Answers</h3><table>"
        + "".join(_answer(status, a) for status, a in sorted(operation["responses"].items()))
        + "</table></div></details>"
    )


def _parameters(parameters: list[dict[str, Any]]) -> str:
    if not parameters:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}"
        f"{', required' if p.get('required') else ''}</td>"
        f"<td>{escape(p.get('description', ''))}</td><td>{_schema(p['schema'])}</td></tr>"
        for p in parameters
    )
    return f"<h3>Parameters</h3><table>{rows}</table>"


def _answer(status: str, answer: dict[str, Any]) -> str:
    schemas = " ".join(_schema(c["schema"]) for c in answer.get("content", {}).values())
    return (
        f"<tr><td>{escape(status)}</td><td>{escape(answer['description'])}</td>"
        f"<td>{schemas}</td></tr>"
    )


def _schema(schema: dict[str, Any]) -> str:
    reference = schema.get("$ref")
    if reference is None:
        return _json(schema)
    name = escape(reference.rsplit("/", 1)[-1])
    return f"<a href='#{name}'><code>{name}</code></a>"


def _json(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=1, ensure_ascii=False))}</pre>"
