"""The project's own rules about its text, each a function from files to findings ("path:line: what; what would be right")."""

import re

LINES_MAX = 500
# Who may include whom (docs/architecture.md): an arrow points at what is used.
USES = {"config": {"config"}, "metrics": {"metrics", "config"}, "router": {"router", "metrics", "config"},
        "backends": {"backends", "metrics", "config"}, "gateway": {"gateway", "backends", "router", "simulate", "metrics", "config"},
        "simulate": {"simulate", "router", "metrics", "config"}}
MONEY_FILES = re.compile(r"^(config/(units|decimal)|metrics/(charge|gpu_pool|pricing|records|ledger\w*|budget\w*|books))\.(hpp|cpp)$")
# What looks like money there and is none: a score, a learned mean, a ratio.
NOT_MONEY = re.compile(r"complexity|score|learned|Learned|mean|ratio|bytes_per_token|ppm")
BANNED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
BANNED_NAMES = re.compile(r"(^|[/_])(utils?|helpers?|misc|common|stuff)(_|\.|/|$)")
HERE_ONLY = re.compile(r"(?<![\w.])/(root|home/\w+|Users/\w+|wo[r]k/\w+)/\w|\b(registry|files|deb|py[p]i)\.([a-z]*(npm|python|debian)[a-z]*\.)?org\b")


def code_of(text):
    """C++ without comments and the inside of strings, lines kept."""
    keep_lines = lambda match: '""' + "\n" * match.group().count("\n") if match.group()[0] in "\"R" else "\n" * match.group().count("\n")
    return re.sub(r'R"(\w*)\([\s\S]*?\)\1"|"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*[\s\S]*?\*/', keep_lines, text)


def too_long(path, text):
    lines = text.count("\n")
    if lines > LINES_MAX:
        yield f"{path}:{lines}: {lines} lines; a file has at most {LINES_MAX}: split it by what it does"


def wrong_direction(path, text):
    folder = path.split("/", 1)[0]
    if folder not in USES:
        return
    for number, line in enumerate(text.split("\n"), 1):
        included = re.match(r'\s*#\s*include\s+"([a-z_]+)/', line)
        if included and included.group(1) in USES and included.group(1) not in USES[folder]:
            yield f"{path}:{number}: {folder}/ includes {included.group(1)}/; it may use only {', '.join(sorted(USES[folder]))}"


def float_in_money(path, text):
    if not MONEY_FILES.match(path):
        return
    for number, line in enumerate(code_of(text).split("\n"), 1):
        if re.search(r"\b(float|double)\b", line) and not NOT_MONEY.search(line):
            yield f"{path}:{number}: a floating-point number in a file about money; use the integer types of config/units.hpp"


def co_await_shapes(path, text):
    """g++ 12 frees twice when a full expression with co_await holds a braced temporary, a capturing lambda or a branch of ?: ."""
    code = code_of(text)
    for match in re.finditer(r"\bco_await\b", code):
        statement = code[match.start():_end_of_statement(code, match.start())]
        number = code.count("\n", 0, match.start()) + 1
        if re.search(r"\b[A-Z]\w*\{", statement):
            yield f"{path}:{number}: a braced temporary in an expression with co_await; name it first (g++ 12 frees it twice)"
        if re.search(r"[(,]\s*\[[^\]]+\]\s*[({]", statement):
            yield f"{path}:{number}: a capturing lambda in an expression with co_await; name it first (g++ 12 frees it twice)"
        start = max(code.rfind(mark, 0, match.start()) for mark in ";{}")
        if re.search(r"\?[^;:]*(?::(?!:)[^;]*)?$", code[start + 1:match.start()].replace("::", "")):
            yield f"{path}:{number}: co_await in a branch of ?: ; write an if (g++ 12 frees it twice)"


def _end_of_statement(code, at):
    depth = 0
    for i in range(at, len(code)):
        if code[i] in "([{":
            depth += 1
        elif code[i] in ")]}":
            depth -= 1
        if depth < 0 or (code[i] == ";" and depth == 0) or (code[i] == "{" and depth == 1 and code[i - 1:i] == " " and ")" in code[at:i]):
            return i
    return len(code)


def banned_words(path, text):
    if BANNED_NAMES.search(path):
        yield f"{path}:1: a file name that does not say what is in it"
    for number, line in enumerate(text.split("\n"), 1):
        if found := BANNED.search(line):
            yield f"{path}:{number}: '{found.group()}'; do it, or file an issue"


def of_this_machine(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        if found := HERE_ONLY.search(line):
            yield f"{path}:{number}: '{found.group()}' holds only on one machine, or names a package host"


def changelog_form(path, text):
    lines = text.split("\n")
    if lines[0] != "# Changelog":
        yield f"{path}:1: the first line is '# Changelog'"
    releases = [line for line in lines if line.startswith("## ")]
    if not releases or releases[0] != "## Unreleased":
        yield f"{path}:1: the first release is '## Unreleased'"
    for number, line in enumerate(lines, 1):
        if line.startswith("## ") and not re.fullmatch(r"## (Unreleased|\d+\.\d+\.\d+ – \d{4}-\d\d-\d\d)", line):
            yield f"{path}:{number}: a release reads '## 1.2.3 – 2026-01-31'"
        if line.startswith("### ") and line[4:] not in ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"):
            yield f"{path}:{number}: a section is Added, Changed, Deprecated, Removed, Fixed or Security"
