"""Writes docs/configuration.md from config/schema.json and docs/metrics.md from the tables of series in the code.

    python3 tests/tidy/generate_docs.py
"""

import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]

CONFIGURATION = """\
# Configuration

<!-- Written by tests/tidy/generate_docs.py from config/schema.json; change it there. -->

One YAML file. `tollgate check FILE` reports every error with file, line, column and what would be right; unknown keys are errors.
`tollgate check --schema` prints the JSON Schema for editors. `config/demo.yaml` is a commented example, `examples/`
has five fleets with real backends. Units stand in the names of keys; amounts of money are exact decimals in quotes.

Any value may hold variables: `${VAR}`, `${VAR:-default}`, `${VAR:?message}`; `$$` is a dollar sign. An unset variable or an empty secret is an error.
SIGHUP, a change of the file, or `POST /-/reload` on the admin port read it again; an invalid file changes nothing. What is read at
the start only says so.
"""

METRICS = """\
# Metrics

<!-- Written by tests/tidy/generate_docs.py from metrics/series.hpp, gateway/gateway_series.cpp, gateway/routing_counts.cpp, gateway/constraint_counts.cpp, gateway/shadow.cpp, gateway/engine_series.cpp, gateway/break_even_series.cpp, gateway/admin/advice_board.cpp, gateway/budget_metrics.cpp, gateway/resilience_counts.cpp, gateway/resilience_series.cpp, gateway/cache_counts.cpp, gateway/autopilot.cpp, gateway/hedges.cpp; change it there. -->

`GET /metrics` on the admin port, in Prometheus' text format. Labels hold configured names and words of this program only, never
what a client sent: a name that is not configured is `other`, what does not apply is `none`.

| name | type | labels | meaning |
|---|---|---|---|
"""


def type_of(schema):
    if "enum" in schema:
        return " \\| ".join(f"`{value}`" for value in dict.fromkeys(map(str, schema["enum"])))
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(type_of(option) for option in schema["anyOf"] if option.get("$ref") != "#/$defs/variable"))
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[1].replace("_", " ")
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        kind = " or ".join(kind)
    if kind == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None or high is not None:
        return f"{kind}, {'' if low is None else f'from {low:g}' if isinstance(low, float) else f'from {low}'}{'' if high is None else f' to {high}'}".replace(",  to", ", to")
    return kind


def branches(schema, definitions):
    """The schema itself and what it refers to or may be instead."""
    yield schema
    if "$ref" in schema:
        yield from branches(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
    for option in schema.get("anyOf", []) + schema.get("oneOf", []):
        yield from branches(option, definitions)


def rows(schema, definitions, prefix="", trail=()):
    for each in branches(schema, definitions):
        required = each.get("required", [])
        for name, member in each.get("properties", {}).items():
            yield from row(prefix + name, member, name in required, definitions, trail)
        if isinstance(each.get("additionalProperties"), dict) and ("properties" not in each or each["additionalProperties"].get("properties")):
            yield from rows(each["additionalProperties"], definitions, f"{prefix}NAME.", trail)
        if isinstance(each.get("items"), dict):
            yield from rows(each["items"], definitions, prefix.removesuffix(".") + "[].", trail)


def row(path, member, required, definitions, trail):
    text = " ".join(b["description"] for b in list(branches(member, definitions))[:2] if "description" in b)
    default = "required" if required else f"`{json.dumps(member['default'])}`" if "default" in member else ""
    yield f"| `{path}` | {type_of(member)} | {default} | {text.replace('|', chr(92) + '|')} |"
    name = member.get("$ref")
    if name in trail:
        return
    yield from rows(member, definitions, path + ".", (*trail, name) if name else trail)


def configuration(root):
    schema = json.loads((root / "config/schema.json").read_text())
    text = CONFIGURATION
    for name, member in schema["properties"].items():
        lines = list(dict.fromkeys(row(name, member, name in schema.get("required", []), schema.get("$defs", {}), ())))
        text += f"\n## {name}\n\n{member.get('description', '')}\n\n| key | type | default | meaning |\n|---|---|---|---|\n" + "\n".join(lines) + "\n"
    return text


def joined(literals):
    """Adjacent C++ string literals as one string."""
    return "".join(json.loads(f'"{piece}"') for piece in re.findall(r'"((?:\\.|[^"\\])*)"', literals))


def metrics(root):
    found = []
    table = (root / "metrics/series.hpp").read_text()
    for match in re.finditer(r"SeriesFacts\{\s*Series::\w+,\s*(\"[^\"]+\"),\s*SeriesType::(\w+),\s*(\"[^\"]*\"),\s*((?:\"(?:\\.|[^\"\\])*\"\s*)+)\}", table):
        found.append((joined(match[1]), match[2], joined(match[3]), joined(match[4])))
    code = "".join((root / name).read_text() for name in ("gateway/gateway_series.cpp", "gateway/routing_counts.cpp", "gateway/constraint_counts.cpp",
                                                                "gateway/shadow.cpp", "gateway/engine_series.cpp", "gateway/break_even_series.cpp",
                                                                "gateway/admin/advice_board.cpp"))
    for match in re.finditer(r'gauge\("(tollgate_\w+)",\s*((?:"(?:\\.|[^"\\])*"\s*)+),', code):
        found.append((match[1], "gauge", "", joined(match[2])))
    for match in re.finditer(r'family\(\s*"(tollgate_\w+)",\s*((?:"(?:\\.|[^"\\])*"\s*)+),\s*MetricType::(\w+)\)', code):
        after = code[match.end():match.end() + 600].split("family(", 1)[0]
        labels = ",".join(dict.fromkeys(re.findall(r'(?<!pair)\{"(\w+)",', after)))
        found.append((match[1], match[3].lower(), labels, joined(match[2])))
    code = (root / "gateway/budget_metrics.cpp").read_text()
    for match in re.finditer(r'Series\b[^"]*?\(families,\s*"(tollgate_\w+)",\s*MetricType::(\w+),\s*"([\w,]*)",\s*((?:"(?:\\.|[^"\\])*"\s*)+)\)', code):
        found.append((match[1], match[2].lower(), match[3], joined(match[4])))
    code = "".join((root / name).read_text() for name in ("gateway/resilience_counts.cpp", "gateway/resilience_series.cpp", "gateway/cache_counts.cpp", "gateway/autopilot.cpp", "gateway/hedges.cpp"))
    for match in re.finditer(r'series_of\(families,\s*"(tollgate_\w+)",\s*MetricType::(\w+),\s*"([\w,]*)",\s*((?:"(?:\\.|[^"\\])*"\s*)+)\)', code):
        found.append((match[1], match[2].lower(), match[3], joined(match[4])))
    return METRICS + "".join(f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels.split(',') if label)} | {text} |\n"
                             for name, kind, labels, text in found)


DOCUMENTS = {"docs/configuration.md": configuration, "docs/metrics.md": metrics}

if __name__ == "__main__":
    for name, write in DOCUMENTS.items():
        (ROOT / name).parent.mkdir(exist_ok=True)
        (ROOT / name).write_text(write(ROOT))
        print(name)
