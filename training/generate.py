#!/usr/bin/env python3
"""Writes requests.jsonl, the labelled requests that the complexity model is trained on, from cores/*.txt and materials.txt.

    python3 training/generate.py            # writes training/requests.jsonl
    python3 training/generate.py --check    # fails if the file is not what the cores give

A core is one line, `TIER lang|text`, beneath a `# kind:` line; TIER is S, M, C or R (docs/routing/complexity.md has the rubric).
In its text:
  {a|b|c}            one of these
  {doc} {doc:de}     a text of materials.txt, in the core's language where there is one, else in English; {longdoc}: several
  <<sys: …>>         a system prompt that belongs to the task
  <<before: …>>      an earlier user turn, with an answer
  <<agent>> <<tools>> <<toolresult>> <<schema>> <<tiny>> <<complete>>   an agent's prompt and tools, tools, …, a small output limit, code to go on with
Each core is written out several times: with other words in its slots, and with what real clients add and real people do (system prompts
that say nothing of the task, wrappers of agent frameworks, greetings, missing capitals, slips of the keyboard). The `core` number tells
which rows belong together: rows of one core never stand on both sides of a split. The same input gives the same file.
"""
import json
import pathlib
import random
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
TIERS = {"S": "SIMPLE", "M": "MEDIUM", "C": "COMPLEX", "R": "REASONING"}
VARIANTS = 3
CHOICE = re.compile(r"\{([^{}]*\|[^{}]*)\}")
MATERIAL = re.compile(r"\{([a-z]+)(?::([a-z]+))?\}")
DIRECTIVE = re.compile(r"<<([a-z]+)(?::\s*(.*?))?>>", re.S)
HELLO = {"en": ["Hi! ", "Hello, ", "Hey, quick one: ", "Please help me with this. "], "de": ["Hallo, ", "Guten Tag! "],
         "fr": ["Bonjour, ", "Salut ! "], "es": ["Hola, ", "Buenas. "], "zh": ["你好，", "请问，"], "ja": ["こんにちは。", "お願いします。"]}
BYE = {"en": ["\n\nThanks!", " Thank you in advance.", "\n\nRegards, Kim"], "de": [" Danke!", "\n\nViele Grüße"], "fr": [" Merci d'avance !"],
       "es": [" ¡Gracias!"], "zh": ["谢谢！"], "ja": ["よろしくお願いします。"]}
TALK = [("hi", "Hello! What can I do for you?"), ("What is the capital of Italy?", "Rome."), ("Write a haiku about rain.", "Grey strings on the roof …"),
        ("Can you help me with something?", "Of course. What is it about?"), ("What time zone is Oslo in?", "Central European Time.")]
TOOLS = ["get_weather", "set_timer", "search_flights", "send_message", "list_orders", "calendar_add", "read_file", "write_file", "run_command", "search_code"]


def unescape(text):
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t", "\\": "\\"}.get(m.group(1), "\\" + m.group(1)), text)


def read_materials():
    found, target = {}, None
    for line in (HERE / "materials.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            _, name, lang = line.split()
            target = found.setdefault(name, {}).setdefault(lang, [])
        elif target is not None and line:
            target.append(unescape(line))
    return found


def read_cores():
    cores = []
    for path in sorted((HERE / "cores").glob("*.txt")):
        kind = None
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.startswith("# kind:"):
                kind = line.split(":")[1].strip()
            elif line:
                match = re.fullmatch(r"([SMCR])\|(en|de|fr|es|zh|ja)\|(.+)", line)
                if not match or kind is None:
                    sys.exit(f"{path.name}:{number}: not TIER|lang|text beneath a kind")
                cores.append((kind, *match.groups()))
    return cores


class Writer:
    def __init__(self, materials, rng):
        self.materials, self.rng = materials, rng

    def material(self, name, lang):
        by_lang = self.materials[name]
        texts = sum(by_lang.values(), []) if lang == "any" else by_lang.get(lang, by_lang.get("en"))
        return self.rng.choice(texts)

    def fill(self, text, lang):
        text = CHOICE.sub(lambda m: self.rng.choice(m.group(1).split("|")), text)

        def one(m):
            name, wanted = m.group(1), m.group(2) or lang
            if name == "longdoc":
                return "\n\n".join(self.material("doc", wanted) for _ in range(self.rng.randint(3, 9)))
            if name == "doc" and self.rng.random() < 0.35:  # people paste short texts and long ones
                return "\n\n".join(self.material("doc", wanted) for _ in range(self.rng.randint(2, 8)))
            return self.material(name, wanted) if name in self.materials else m.group(0)

        return MATERIAL.sub(one, text)

    def slip(self, text):
        """Two neighbouring letters change places, one is lost or doubled, in about one word of seven."""
        def one(m):
            word, at = m.group(0), self.rng.randint(1, len(m.group(0)) - 3)
            if self.rng.random() > 0.15:
                return word
            return self.rng.choice([word[:at] + word[at + 1] + word[at] + word[at + 2:], word[:at] + word[at + 1:], word[:at] + word[at] + word[at:]])

        return re.sub(r"[A-Za-z]{5,}", one, text)

    def request(self, kind, lang, text, plain):
        rng, body, messages = self.rng, {}, []
        directives = []
        text = DIRECTIVE.sub(lambda m: directives.append((m.group(1), m.group(2) or "")) or "", text)
        names = {name for name, _ in directives}
        if not plain and rng.random() < 0.12:  # only the instruction's own words, before any material comes in
            text = self.slip(text) if "\\" not in text.replace("\\n", "") and "{" not in re.sub(CHOICE, "", re.sub(MATERIAL, "", text)) else text
        text = unescape(self.fill(text, lang)) if "{" not in text else self.fill(unescape(text), lang)
        if not plain:
            if rng.random() < 0.08:
                text = text.lower() if "```" not in text and "$" not in text else text
            if rng.random() < 0.10 and kind != "chat" and "<" not in text[:1]:
                text = rng.choice(HELLO[lang]) + text
            if rng.random() < 0.06 and kind != "chat" and "complete" not in names:
                text += rng.choice(BYE[lang])
            if rng.random() < 0.04 and not names and "<" not in text:
                text = f"<task>\n{text}\n</task>\n<environment_details>\nworking directory: /srv/app\nopen tabs: notes.md, plan.md\n</environment_details>"
        system = None
        for name, value in directives:
            if name == "sys":
                system = value
        if system is None and "agent" in names:
            system = self.material("agent", "en")
        if system is None and not plain:
            roll = rng.random()
            if roll < 0.28:
                system = self.material("persona", "en")
            elif roll < 0.33:
                system, names = self.material("agent", "en"), names | {"agent"}
        if system:
            messages.append({"role": "system", "content": system})
        if not plain and not any(name == "before" for name, _ in directives) and rng.random() < 0.07 and kind != "chat":
            for asked, answered in rng.sample(TALK, rng.randint(1, 3)):
                messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
        for name, value in directives:
            if name == "before":
                messages += [{"role": "user", "content": unescape(self.fill(value, lang))},
                             {"role": "assistant", "content": rng.choice(["Here is a first version.", "Sure, here it is.", "Done, see below."])}]
        messages.append({"role": "user", "content": text})
        if "toolresult" in names:
            call = {"id": "call_1", "type": "function", "function": {"name": "search_items", "arguments": "{}"}}
            messages += [{"role": "assistant", "content": None, "tool_calls": [call]},
                         {"role": "tool", "tool_call_id": "call_1", "content": '{"items":[{"id":"A-1042","state":"shipped"},{"id":"B-77","state":"open"}]}'}]
        body["messages"] = messages
        if names & {"agent", "tools", "toolresult"}:
            body["tools"] = [{"type": "function", "function": {"name": tool, "parameters": {"type": "object"}}} for tool in rng.sample(TOOLS, rng.randint(2, 6))]
        if "tiny" in names:
            body["max_tokens"] = rng.choice([1, 4, 8])
        if "schema" in names:
            body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
        return body


def rows():
    materials = read_materials()
    for number, (kind, tier, lang, text) in enumerate(read_cores()):
        writer, seen = Writer(materials, random.Random(f"tollgate {kind} {text}")), set()
        for attempt in range(VARIANTS * 4):
            body = writer.request(kind, lang, text, plain=attempt == 0)
            key = json.dumps(body, ensure_ascii=False)
            if key in seen:
                continue
            seen.add(key)
            yield {"id": f"{kind}-{number}-{len(seen)}", "kind": kind, "core": number, "lang": lang, "tier": TIERS[tier], **body}
            if len(seen) == VARIANTS:
                break


def main():
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows())
    path = HERE / "requests.jsonl"
    if "--check" in sys.argv[1:]:
        sys.exit(0 if path.exists() and path.read_text(encoding="utf-8") == text else f"{path} is not what generate.py writes: run it")
    path.write_text(text, encoding="utf-8")
    print(f"{path}: {text.count(chr(10))} requests")


if __name__ == "__main__":
    main()
