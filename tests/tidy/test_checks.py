"""The checks find what they are for, and nothing else."""

import checks
import pytest


def findings(check, text, path="gateway/x.cpp"):
    return list(check(path, text))


@pytest.mark.parametrize("check, path, bad, good", [
    (checks.too_long, "gateway/x.cpp", "\n" * 501, "\n" * 500),
    (checks.wrong_direction, "router/x.cpp", '#include "backends/sse.hpp"\n', '#include "config/config.hpp"\n#include <vector>\n'),
    (checks.wrong_direction, "config/x.hpp", '#include "metrics/usage.hpp"\n', '#include "config/names.hpp"\n'),
    (checks.float_in_money, "metrics/charge.cpp", "double usd = 0;\n", "// double usd\nauto text = \"double\";\n"),
    (checks.float_in_money, "metrics/records.hpp", "float cost;\n", "float complexity = 0;\n"),
    (checks.co_await_shapes, "gateway/x.cpp", "co_await send(Call{1, 2});", "const Call call{1, 2};\nco_await send(call);"),
    (checks.co_await_shapes, "gateway/x.cpp", "co_await run([this] { go(); });", "co_await run([] { go(); });"),
    (checks.co_await_shapes, "gateway/x.cpp", "auto x = fast ? co_await one() : two();", "auto x = co_await one();\nauto y = a ? b : c;"),
    (checks.banned_words, "gateway/x.cpp", "// TO" "DO: later\n", "// to do so\n"),
    (checks.banned_words, "gateway/string_ut" "ils.hpp", "", "utility\n"),
    (checks.of_this_machine, "docs/x.md", "see /ro" "ot/x/y\n", "see /workers and https://example.com/root/x\n"),
    (checks.of_this_machine, "a.lock", '"resolved": "https://registry.npm' 'js.org/x"\n', '"resolved": "https://api.openai.com/v1"\n'),
    (checks.changelog_form, "CHANGELOG.md", "# Changes\n", "# Changelog\n\n## Unreleased\n\n### Added\n\n- x\n\n## 1.0.0 – 2026-01-31\n"),
])
def test_a_check_finds_the_bad_and_passes_the_good(check, path, bad, good):
    assert findings(check, bad, path)
    assert not findings(check, good, path if "ut" "ils" not in path else "gateway/strings.hpp")
