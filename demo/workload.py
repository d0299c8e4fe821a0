"""Reads demo/workload.txt: the requests that ./dev demo-savings replays, and the tier that each was labelled with."""

import pathlib
import random
import re

HERE = pathlib.Path(__file__).resolve().parent
TIERS = {"S": "SIMPLE", "M": "MEDIUM", "C": "COMPLEX", "R": "REASONING"}
LINE = re.compile(r"([SMCR]) ([a-z]+)\|(.+)")
CHOICE = re.compile(r"(?<!\{)\{([^{}]*\|[^{}]*)\}")


# What half of all requests are, and so on: mostly everyday work. And how long answers are: short for a fact or a summary, long for a design.
MIX = {"SIMPLE": 0.52, "MEDIUM": 0.28, "COMPLEX": 0.14, "REASONING": 0.06}
ANSWER_TOKENS = {"SIMPLE": 100, "MEDIUM": 350, "COMPLEX": 800, "REASONING": 1000}


class Request:
    def __init__(self, tier, kind, system, text, answer_tokens):
        self.tier, self.kind, self.system, self.text, self.answer_tokens = tier, kind, system, text, answer_tokens

    def body(self):
        system = [{"role": "system", "content": self.system}] if self.system else []
        return {"model": "auto", "max_tokens": self.answer_tokens, "messages": [*system, {"role": "user", "content": self.text}]}


def read(path=HERE / "workload.txt"):
    lines, materials, target = [], {}, None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("## "):
            target = []
            materials.setdefault(line[3:], []).append(target)
        elif target is not None:
            target.append(line)
        elif line and not line.startswith("#"):
            match = LINE.fullmatch(line)
            if not match:
                raise ValueError(f"{path.name}:{number}: not TIER kind|text")
            lines.append(match.groups())
    return lines, {name: ["\n".join(lines).strip() for lines in texts] for name, texts in materials.items()}


def length_of(tier, chance):
    """How long the answer is, in tokens: about what models write for requests of the tier."""
    return round(ANSWER_TOKENS[tier] * chance.uniform(0.5, 1.5))


def fill(text, materials, chance):
    text = CHOICE.sub(lambda m: chance.choice(m.group(1).split("|")), text).replace("{{", "{").replace("}}", "}")
    text = re.sub(r"\{reports\}", lambda m: "\\n\\n".join(chance.choices(materials["report"], k=chance.randint(4, 14))), text)
    text = re.sub(r"\{report\}", lambda m: chance.choice(materials["report"]), text)
    return text.replace("\\n", "\n")


def requests(count, seed, mix=MIX):
    """`count` requests, of each tier its share: of a tier every line comes once before any comes again. The seed decides order and words."""
    lines, materials = read()
    chance = random.Random(seed)
    out = []
    for letter, tier in TIERS.items():
        of_tier, deck = [line for line in lines if line[0] == letter], []
        for _ in range(round(count * mix[tier])):
            if not deck:
                deck = chance.sample(of_tier, len(of_tier))
            _, kind, text = deck.pop()
            system = materials["agent"][0] if "<<agent>>" in text else None
            if found := re.match(r"<<sys: (.*?)>>", text):
                system = found.group(1)
            text = fill(re.sub(r"<<agent>>|<<sys: .*?>>", "", text), materials, chance)
            out.append(Request(tier, kind, system, text, length_of(tier, chance)))
    chance.shuffle(out)
    return out
