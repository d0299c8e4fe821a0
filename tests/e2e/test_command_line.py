"""The command line as its user meets it: help, manual page, completion, tables that fit, exit codes."""

import json
import os
import re
import shutil
import subprocess

import pytest

from gateway import PROGRAM, ROOT

WIDTHS = (60, 80, 120)


def tollgate(*arguments, columns=None, check=True, **more):
    environment = {**os.environ, **({"COLUMNS": str(columns)} if columns else {})}
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60, env=environment, **more)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def commands(*path):
    """Every command, as its words; groups such as `prices` are followed."""
    help_text = tollgate(*path, "--help").stdout
    listed = re.search(r"^Subcommands:\n((?:  .*\n)+)", help_text, re.M)
    if not listed:
        return [path]
    names = re.findall(r"^  ([a-z]\S*)", listed[1], re.M)
    return [inner for name in names for inner in commands(*path, name)]


COMMANDS = commands()
OWN_PARSER = {("sim",)}      # shows its help itself


def options_of(help_text):
    section = re.search(r"^Options:\n((?:  .*\n)+)", help_text, re.M)
    return set(re.findall(r"^\s{2,6}(?:-\w, )?(--[a-z-]+)", section[1], re.M)) if section else set()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_says_how_to_use_a_command(command):
    help_text = tollgate(*command, "--help").stdout
    assert "--help" in help_text and len(help_text.split("\n")[0]) > 10
    if command not in OWN_PARSER:
        assert f"Usage: tollgate {' '.join(command)}" in help_text, "the path of the program is of no use to its reader"
        assert "Exit codes: 0 fine, 1 a finding, 2 wrong usage, 3 cannot bind, read or write." in help_text
        assert "TEXT" not in help_text and "UINT" not in help_text and "Excludes" not in help_text


@pytest.mark.parametrize("width", WIDTHS)
def test_help_fits_the_terminal(width):
    for command in COMMANDS:
        if command in OWN_PARSER:
            continue
        text = re.sub(r"^Examples?:\n(  .*\n)+", "", tollgate(*command, "--help", columns=width).stdout, flags=re.M)     # lines to be copied stay whole
        for line in text.split("\n"):
            assert len(line) <= width or len(max(line.split(), key=len)) > width - 40, line


def test_commands_that_print_data_print_it_as_json_too():
    for command in COMMANDS:
        text = tollgate(*command, "--help").stdout
        if command[0] in ("serve", "sim", "completion", "man"):
            continue
        assert re.search(r"--json\b|--jsonl\b", text), f"{' '.join(command)} has no --json"


def test_wrong_usage_is_2():
    for arguments in ([], ["nonsense"], ["costs", "--nonsense"], ["completion", "tcsh"], ["completion"], ["explain"], ["keys", "new", "--name", "x"]):
        assert tollgate(*arguments, check=False).returncode == 2, arguments


# -- manual page --

def test_the_manual_page_knows_every_command_and_option():
    page = tollgate("man").stdout
    text = page.replace("\\-", "-")
    for command in COMMANDS:
        assert f'.SS "tollgate {" ".join(command)}"' in text, command
        for option in options_of(tollgate(*command, "--help").stdout) - {"--help"}:
            assert f"\\fB{option}\\fR" in text, f"{command}: {option}"
    for code in "0123":
        assert re.search(rf"^\.TP\n{code}\n", page.split(".SH EXIT STATUS")[1], re.M)


def test_the_manual_page_is_clean(tmp_path):
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    page = tmp_path / "tollgate.1"
    page.write_text(tollgate("man").stdout)
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, timeout=30)
    assert not [line for line in lint.stdout.split("\n") if ("WARNING" in line or "ERROR" in line)
                and "missing date" not in line], lint.stdout      # the program prints the page: it has no date of its own


# -- completion --

@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_reads_its_completion(shell, tmp_path):
    script = tmp_path / "completion"
    script.write_text(tollgate("completion", shell).stdout)
    text = script.read_text()
    for command in COMMANDS:
        assert command[-1] in text, command
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    assert subprocess.run([shell, "-n", script], capture_output=True, text=True, timeout=30).returncode == 0


@pytest.mark.parametrize("typed, offered", [
    (["tollgate", "pri"], {"price", "prices"}),
    (["tollgate", "prices", ""], {"list", "show", "import", "diff"}),
    (["tollgate", "costs", "--base"], {"--baselines"}),
    (["tollgate", "costs", "--by", "team", "--since", "7d", "--po"], {"--pools"}),
    (["tollgate", "keys", "new", "--"], {"--help", "--name", "--team", "--admin", "--json"}),
    (["tollgate", "check", "--config", "REA"], {"README.md"}),
])
def test_bash_completes(typed, offered, tmp_path):
    if not shutil.which("bash"):
        pytest.skip("bash is not installed")
    script = tmp_path / "completion"
    script.write_text(tollgate("completion", "bash").stdout)
    words = " ".join(f"'{word}'" for word in typed)
    ask = f"compopt() {{ :; }}; source {script}; COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}; _tollgate; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    got = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, timeout=30, cwd=ROOT)
    assert set(got.stdout.split()) == offered, got.stderr


@pytest.mark.parametrize("typed, offered", [("tollgate pri", {"price", "prices"}), ("tollgate prices ", {"list", "show", "import", "diff"}),
                                            ("tollgate costs --base", {"--baselines"})])
def test_fish_completes(typed, offered, tmp_path):
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    script = tmp_path / "tollgate.fish"
    script.write_text(tollgate("completion", "fish").stdout)
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    got = subprocess.run(["fish", "--no-config", "-c", f"source {script}; complete -C '{typed}'"], capture_output=True, text=True, timeout=30, env=environment)
    assert {line.split("\t")[0] for line in got.stdout.split("\n") if line} == offered, got.stdout + got.stderr


# -- tables --

def test_tables_fit_the_terminal():
    wide = tollgate("prices", "diff", "--help", columns=200).stdout
    assert wide
    for width in (100, 200):
        table = tollgate("advise", "--tokens-per-day", "30M", "--model", "llama-3.3-70b", "--gpu", "h100x2", columns=width).stdout
        rows = [line for line in table.split("\n") if re.search(r"\S  +\S.*\S  +\S", line)]
        assert rows and all(len(line) <= width for line in rows if "  " in line.strip()), max(rows, key=len)


def test_a_pipe_gets_the_whole_table():
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    table = subprocess.run([PROGRAM, "advise", "--tokens-per-day", "30M", "--model", "llama-3.3-70b", "--gpu", "h100x2"], capture_output=True, text=True, timeout=60, env=environment)
    at_1000 = tollgate("advise", "--tokens-per-day", "30M", "--model", "llama-3.3-70b", "--gpu", "h100x2", columns=1000)
    assert table.returncode == 0 and table.stdout == at_1000.stdout


def test_json_is_json():
    for arguments in (["prices", "show", "openai", "gpt-4o"], ["advise", "--tokens-per-day", "30M", "--model", "llama-3.3-70b"], ["check", "config/demo.yaml"],
                      ["explain", "Hello", "--config", "config/demo.yaml"], ["keys", "new", "--name", "a", "--team", "b"]):
        json.loads(tollgate(*arguments, "--json", cwd=ROOT).stdout)


def test_the_version_is_json_too():
    import json
    plain = tollgate("version").stdout.split()
    assert json.loads(tollgate("version", "--json").stdout) == {"name": plain[0], "version": plain[1]}
