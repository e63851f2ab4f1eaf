"""TypeScript for what the API answers, from its OpenAPI document: src/load/types.ts.

python dashboard/api_types.py           write the file
python dashboard/api_types.py --check   exit 1 if it is not up to date
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent / "src" / "load" / "types.ts"
HEAD = "// Made from the API's OpenAPI document by dashboard/api_types.py. Do not edit: change the document and run it again.\n"
# Where the page asks for time=s, a time is a number.
TIME_MARK = "RFC 3339 in the zone asked for"
SIMPLE = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean", "null": "null"}


def type_of(schema: dict[str, Any], indent: str = "") -> str:
    """A JSON Schema as a type of TypeScript. Raises KeyError for what has no counterpart here."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if TIME_MARK in schema.get("description", ""):
        return "number | null" if "null" in schema.get("type", ()) else "number"
    if "enum" in schema:
        return " | ".join(f'"{one}"' for one in schema["enum"])
    kinds = schema.get("type")
    if kinds is None:
        return "unknown"
    if isinstance(kinds, list):
        kinds = ["number" if kind == "integer" and "number" in kinds else kind for kind in kinds]
        kinds = list(dict.fromkeys(kinds))
        if set(kinds) >= {"string", "number"}:  # a time that may be null
            return "number" + (" | null" if "null" in kinds else "")
        return " | ".join(type_of(schema | {"type": kind}, indent) for kind in kinds)
    if kinds == "array":
        inner = type_of(schema["items"], indent)
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    if kinds == "object":
        return object_type(schema, indent)
    return SIMPLE[kinds]


def object_type(schema: dict[str, Any], indent: str) -> str:
    """An object; what may be there beside its named properties is left to the page, which asks for it by name."""
    inner = indent + "  "
    required = schema.get("required", ())
    lines = []
    for name, one in schema.get("properties", {}).items():
        if note := one.get("description"):
            lines.append(f"{inner}/** {note} */")
        lines.append(f"{inner}{name}{'' if name in required else '?'}: {type_of(one, inner)};")
    more = schema.get("additionalProperties", False)
    if not lines:
        return "Record<string, unknown>" if more in (False, True) else f"Record<string, {type_of(more, inner)}>"
    return "{\n" + "\n".join(lines) + f"\n{indent}}}"


def document() -> str:
    """The whole file."""
    from sensorlogd.web.answering.describing.openapi import describe

    found = describe("")
    parts = [HEAD]
    for name, schema in found["components"]["schemas"].items():
        parts.append(f"export type {name} = {type_of(schema)};\n")
    answers, changes = [], []
    for path, methods in found["paths"].items():
        if not path.startswith("/api/v1/"):
            continue
        for method, operation in methods.items():
            name, answer = operation["operationId"], _json_of(operation["responses"]["200"])
            if answer is None:
                continue  # a stream
            if method == "get":
                answers.append(f"  {name}: {type_of(answer, '  ')};")
            else:
                sent = {"body": _json_of(operation["requestBody"]), "answer": answer}
                changes.append(f"  {name}: {object_type({'properties': sent, 'required': tuple(sent)}, '  ')};")
    parts.append(_named("Answers", "What each endpoint answers.", answers))
    parts.append(_named("Changes", "What each change is ordered by, and answered with.", changes))
    return "\n".join(parts)


def _named(name: str, meaning: str, properties: list[str]) -> str:
    """A type with these properties, each a line, under a name."""
    return f"/** {meaning} */\nexport type {name} = {{\n" + "\n".join(properties) + "\n};\n"


def _json_of(described: dict[str, Any]) -> dict[str, Any] | None:
    """The schema of the JSON of a body; None: it is no JSON."""
    content = described["content"].get("application/json")
    return None if content is None else content["schema"]


if __name__ == "__main__":
    wanted = document()
    if "--check" in sys.argv:
        sys.exit(0 if TARGET.exists() and TARGET.read_text(encoding="utf-8") == wanted else f"{TARGET} is not up to date")
    if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != wanted:
        TARGET.write_text(wanted, encoding="utf-8")
