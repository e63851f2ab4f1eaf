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
    answers, parameters = [], []
    for path, methods in found["paths"].items():
        operation = methods.get("get")
        if operation is None or not path.startswith("/api/v1/"):
            continue
        name = operation["operationId"]
        parameters.append(f"  {name}: [{', '.join(chr(34) + one['name'] + chr(34) for one in operation['parameters'])}],")
        content = operation["responses"]["200"]["content"].get("application/json")
        if content is not None:
            answers.append(f"  {name}: {type_of(content['schema'], '  ')};")
    parts.append("/** What each endpoint answers. */\nexport type Answers = {\n" + "\n".join(answers) + "\n};\n")
    parts.append(
        "/** The parameters that each endpoint knows. */\nexport const PARAMETERS: Record<string, readonly string[]> = {\n"
        + "\n".join(parameters)
        + "\n};\n"
    )
    return "\n".join(parts)


if __name__ == "__main__":
    wanted = document()
    if "--check" in sys.argv:
        sys.exit(0 if TARGET.exists() and TARGET.read_text(encoding="utf-8") == wanted else f"{TARGET} is not up to date")
    if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != wanted:
        TARGET.write_text(wanted, encoding="utf-8")
