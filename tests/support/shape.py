"""Whether JSON has the shape that a schema says: the part of JSON Schema that docs/openapi uses. Unknown keywords are errors."""

import re

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
KNOWN = {"$ref", "type", "properties", "required", "additionalProperties", "items", "enum", "const", "pattern", "minimum", "maximum", "allOf", "description"}


def _is(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def resolved(document, schema):
    while "$ref" in schema:
        found = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def misshapen(document, schema, value, at="$"):
    """What is wrong, as "where: what"; nothing if all is well."""
    schema = resolved(document, schema)
    if unknown := set(schema) - KNOWN:
        yield f"{at}: the schema has keywords that are not checked: {unknown}"
    for part in schema.get("allOf", []):
        yield from misshapen(document, part, value, at)
    wanted = schema.get("type", [])
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if wanted and not any(_is(value, name) for name in wanted):
        yield f"{at}: {value!r} is no {' or '.join(wanted)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        yield f"{at}: {value!r} is not {schema['const']!r}"
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{at}: {value!r} does not fit {schema['pattern']}"
    if _is(value, "number") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{at}: {value!r} is out of bounds"
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            yield from misshapen(document, schema["items"], item, f"{at}[{i}]")
    if isinstance(value, dict):
        yield from _members(document, schema, value, at)


def _members(document, schema, value, at):
    properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name in schema.get("required", []):
        if name not in value:
            yield f"{at}.{name}: is missing"
    for name, member in value.items():
        if name in properties:
            yield from misshapen(document, properties[name], member, f"{at}.{name}")
        elif more is False:
            yield f"{at}.{name}: is not documented"
        elif isinstance(more, dict):
            yield from misshapen(document, more, member, f"{at}.{name}")
