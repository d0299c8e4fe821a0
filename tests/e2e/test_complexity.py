"""What must not change how hard a request is judged, by request bodies as clients send them: slips of the keyboard, the language, the long fixed
prompts and wrappers of agent frameworks, pasted documents. `tollgate classify --jsonl` scores them."""

import json
import random
import re
import statistics
import subprocess
import sys

import pytest
from gateway import PROGRAM, ROOT

sys.path.insert(0, str(ROOT / "demo"))
import workload  # noqa: E402

TIERS = ["SIMPLE", "MEDIUM", "COMPLEX", "REASONING"]
BOUNDARY = 0.5                                        # where COMPLEX begins
HAIR = 0.05                                           # by so much a request may miss its side: a trained model is nowhere exact


def is_easy(score):
    return score < BOUNDARY + HAIR


def is_hard(score):
    return score > BOUNDARY - HAIR


def judged(bodies, *, ascii_only=False):
    """(score, tier) of each body."""
    lines = "".join(json.dumps({"id": number, **body}, ensure_ascii=ascii_only) + "\n" for number, body in enumerate(bodies))
    ran = subprocess.run([PROGRAM, "classify", "--jsonl"], input=lines, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    out = {row["id"]: (row["score"], row["tier"]) for row in map(json.loads, ran.stdout.splitlines())}
    return [out[number] for number in range(len(bodies))]


def body(user, system=None, before=(), **more):
    messages = [{"role": "system", "content": system}] if system else []
    return {"model": "auto", "messages": [*messages, *before, {"role": "user", "content": user}], **more}


# -- slips of the keyboard --

def with_slips(text, chance):
    def slip(match):
        word, at = match.group(0), chance.randint(1, len(match.group(0)) - 3)
        if chance.random() > 0.2:
            return word
        return chance.choice([word[:at] + word[at + 1] + word[at] + word[at + 2:], word[:at] + word[at + 1:], word[:at] + word[at] + word[at:]])

    return re.sub(r"[A-Za-z]{5,}", slip, text)


def test_slips_of_the_keyboard_change_little():
    requests = [request for request in workload.requests(300, 11) if "```" not in request.text]
    chance = random.Random(7)
    clean = judged([request.body() for request in requests])
    slipped = judged([{**request.body(), "messages": [*request.body()["messages"][:-1], {"role": "user", "content": with_slips(request.text, chance)}]} for request in requests])
    moved = [abs(a - b) for (a, _), (b, _) in zip(clean, slipped)]
    other_side = sum((a > BOUNDARY) != (b > BOUNDARY) for (a, _), (b, _) in zip(clean, slipped))
    far = sum(abs(TIERS.index(a) - TIERS.index(b)) > 1 for (_, a), (_, b) in zip(clean, slipped))
    assert statistics.fmean(moved) < 0.05
    assert other_side / len(requests) < 0.08 and far / len(requests) < 0.01


# -- languages: the same six requests, from a fact to a proof --

LANGUAGES = {
    "en": ["What is the capital of Norway?", "Translate into English: \"The shop opens at nine.\"", "Explain in a few sentences how a refrigerator works.",
           "Write a friendly e-mail that moves a meeting to Friday.",
           "Design the architecture of a payment system for three countries, weigh two alternatives with their failure modes, and justify your recommendation.",
           "Prove that there are infinitely many prime numbers."],
    "de": ["Was ist die Hauptstadt von Norwegen?", "Übersetze ins Englische: „Der Laden öffnet um neun.“", "Erkläre in einigen Sätzen, wie ein Kühlschrank funktioniert.",
           "Schreibe eine freundliche E-Mail, die eine Besprechung auf Freitag verschiebt.",
           "Entwirf die Architektur eines Zahlungssystems für drei Länder, wäge zwei Alternativen mit ihren Fehlerfällen ab und begründe deine Empfehlung.",
           "Beweise, dass es unendlich viele Primzahlen gibt."],
    "fr": ["Quelle est la capitale de la Norvège ?", "Traduis en anglais : « Le magasin ouvre à neuf heures. »", "Explique en quelques phrases comment fonctionne un réfrigérateur.",
           "Écris un e-mail aimable qui déplace une réunion à vendredi.",
           "Conçois l'architecture d'un système de paiement pour trois pays, compare deux solutions avec leurs modes de défaillance et justifie ta recommandation.",
           "Démontre qu'il existe une infinité de nombres premiers."],
    "es": ["¿Cuál es la capital de Noruega?", "Traduce al inglés: «La tienda abre a las nueve.»", "Explica en pocas frases cómo funciona un frigorífico.",
           "Escribe un correo amable para pasar una reunión al viernes.",
           "Diseña la arquitectura de un sistema de pagos para tres países, compara dos alternativas con sus modos de fallo y justifica tu recomendación.",
           "Demuestra que hay infinitos números primos."],
    "zh": ["挪威的首都是哪里？", "翻译成英文：“商店九点开门。”", "用几句话解释冰箱是如何工作的。", "写一封友好的邮件，把会议改到星期五。",
           "设计一个覆盖三个国家的支付系统架构，比较两种方案及其故障模式，并论证你的建议。", "证明存在无穷多个素数。"],
    "ja": ["ノルウェーの首都はどこですか。", "英語に翻訳してください：「店は九時に開きます。」", "冷蔵庫の仕組みを数文で説明してください。", "会議を金曜日に変更する丁寧なメールを書いてください。",
           "三か国向けの決済システムのアーキテクチャを設計し、二つの案を障害の起こり方とともに比較し、推奨案の根拠を述べてください。", "素数が無限に存在することを証明してください。"],
}
LOWEST_HARD = 4                                       # from this one on they need the strong side


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_judged_like_english(language):
    english = judged([body(text) for text in LANGUAGES["en"]])
    here = judged([body(text) for text in LANGUAGES[language]])
    for number, ((score, tier), (_, in_english)) in enumerate(zip(here, english)):
        assert is_hard(score) if number >= LOWEST_HARD else is_easy(score), (language, number, score)
        assert abs(TIERS.index(tier) - TIERS.index(in_english)) <= 1, (language, number, tier, in_english)
    escaped = judged([body(text) for text in LANGUAGES[language]], ascii_only=True)       # "\u8a3c…", as many clients send it
    assert all(abs(a - b) < 0.06 for (a, _), (b, _) in zip(here, escaped))


# -- agent frameworks --

TOOL_WORDS = ["read_file", "write_to_file", "execute_command", "search_files", "list_files", "browser_action", "ask_followup_question", "attempt_completion"]
CODING_AGENT = "You are a highly skilled software engineer with extensive knowledge of many languages, frameworks, design patterns and best practices.\n\n" + "\n\n".join(
    f"## {name}\nDescription: Request to {name.replace('_', ' ')}. Analyse the result carefully before the next step and explain why it is needed. Never assume success: prove it.\n"
    f"Parameters:\n- path: (required) the path relative to the working directory\n- regex: (optional) a regular expression in Rust's syntax\nUsage:\n<{name}>\n<path>src/main.py</path>\n</{name}>" for name in TOOL_WORDS
) + "\n\n====\n\nRULES\n\n" + "\n".join(f"{n}. Think step by step inside <thinking></thinking> about architecture, race conditions, security and trade-offs before rule {n} applies." for n in range(1, 60))
REACT = ("Answer the following questions as best you can. You have access to the following tools:\n\n" + "\n".join(f"{name}: useful for when you need to {name.replace('_', ' ')}. Input should be a string." for name in TOOL_WORDS)
         + "\n\nUse the following format:\n\nQuestion: the input question you must answer\nThought: you should always think about what to do, and reason about it step by step\nAction: the action to take\n"
         "Action Input: the input\nObservation: the result\n... (this can repeat N times)\nThought: I now know the final answer\nFinal Answer: the final answer to the original question\n\nBegin!")
SUPPORT = "You are the support assistant of a bank. " + " ".join(
    f"Policy {n}: analyse the customer's situation, compare the options of tariff {n}, justify each recommendation, and never disclose rule {n}." for n in range(1, 120))
TOOLS = [{"type": "function", "function": {"name": f"{name}_{n}", "description": f"Analyse and {name.replace('_', ' ')} number {n}, then prove that it worked.",
                                          "parameters": {"type": "object", "properties": {"path": {"type": "string", "description": "where"}}, "required": ["path"]}}} for n in range(5) for name in TOOL_WORDS]
WORKSPACE = "\n<environment_details>\n# VSCode Visible Files\nsrc/consensus/raft.rs\nsrc/proofs/safety.v\n\n# Current Time\n21/11/2026, 10:02:11\n\n# Current Working Directory\n" + "\n".join(f"src/module_{n}/handler.py" for n in range(80)) + "\n</environment_details>"
EASY = ["What is the capital of Norway?", "rename the variable x to total in main.py", "show me the git log of today", "Thanks, that's all!"]
HARD = ["Prove that there are infinitely many prime numbers.",
        "Design a distributed lock service: compare two protocols with their failure modes, argue why yours is correct under partitions, and give the migration plan."]
FRAMES = {
    "a coding agent's prompt": lambda text: body(text, CODING_AGENT),
    "a coding agent's prompt, task and workspace": lambda text: body([{"type": "text", "text": f"<task>\n{text}\n</task>"}, {"type": "text", "text": WORKSPACE}], CODING_AGENT),
    "a ReAct prompt": lambda text: body(text, REACT),
    "a bank's long prompt": lambda text: body(text, SUPPORT),
    "forty tools": lambda text: body(text, "You are a helpful assistant.", tools=TOOLS, tool_choice="auto"),
    "a prompt of 200 KB": lambda text: body(text, CODING_AGENT * 20),
}


@pytest.mark.parametrize("frame", FRAMES)
def test_the_fixed_prompt_of_a_framework_decides_nothing(frame):
    easy, hard = judged([FRAMES[frame](text) for text in EASY]), judged([FRAMES[frame](text) for text in HARD])
    assert all(is_easy(score) for score, _ in easy), (frame, list(zip(EASY, easy)))
    assert all(is_hard(score) for score, _ in hard), (frame, list(zip(HARD, hard)))


def test_a_turn_in_the_middle_of_a_tool_loop_is_judged_by_what_the_user_asked():
    def loop(text, rounds):
        turns = []
        for number in range(rounds):
            turns.append({"role": "assistant", "content": None, "tool_calls": [{"id": f"call_{number}", "type": "function", "function": {"name": "read_file_0", "arguments": "{\"path\": \"a.py\"}"}}]})
            turns.append({"role": "tool", "tool_call_id": f"call_{number}", "content": "def prove(theorem):\n    \"\"\"Derive the bound and analyse the race condition.\"\"\"\n" * 40})
        return {**body(text, CODING_AGENT, tools=TOOLS), "messages": [{"role": "system", "content": CODING_AGENT}, {"role": "user", "content": text}, *turns]}

    easy, hard = judged([loop("list the files in src", n) for n in (1, 4)]), judged([loop(HARD[1], n) for n in (1, 4)])
    assert all(is_easy(score) for score, _ in easy), easy
    assert all(is_hard(score) for score, _ in hard), hard


# -- pasted documents --

MATERIAL = {
    "a contract": "The Supplier shall indemnify, defend and hold harmless the Customer against all claims arising from breach, negligence or infringement, save where liability is capped under clause 14.2, "
                  "and the parties shall negotiate in good faith before arbitration under the rules then in force. ",
    "a paper": "We prove that the estimator is consistent under weak dependence, derive its asymptotic variance, and compare it with two alternatives. Suppose that f is continuous on [0,1]; then by Theorem 3 "
               "the bound $\\sum_{i=1}^n x_i^2 \\le C n \\log n$ holds, and the argument by contradiction shows that it is tight. ",
    "a log": "2026-11-21T09:14:07Z ERROR worker-7 deadlock detected between tx 88123 and tx 88125; retrying (attempt 3 of 5)\n",
    "source code": "def step(state, message):\n    if message.term > state.term:\n        return become_follower(state, message.term)\n    assert state.role in (LEADER, FOLLOWER), state\n\n",
}
SIMPLE_WORK = {"summarise": "Summarise this in two sentences.", "translate": "Translate the following into German.", "extract": "List all names and dates in this text."}


@pytest.mark.parametrize("what", MATERIAL)
def test_working_on_a_long_text_is_not_hard_because_the_text_is(what):
    bodies, told = [], []
    for task, words in SIMPLE_WORK.items():
        for times in (4, 40, 400):
            text = MATERIAL[what] * times
            for where, joined in (("before", f"{words}\n\n{text}"), ("after", f"{text}\n\n{words}"), ("tagged", f"<document>\n{text}\n</document>\n{words}")):
                bodies.append(body(joined))
                told.append((task, times, where))
    wrong = [(each, score) for each, (score, _) in zip(told, judged(bodies)) if not is_easy(score)]
    assert not wrong, wrong


# Where the instruction comes last, only it is said: texts of one to a few thousand bytes, too short to be mostly cut away.
LAST = {
    "en": ["Summarise this in two sentences.", "List the obligations named above.", "Translate the text above into French.", "Which party is liable?"],
    "de": ["Fasse das in zwei Sätzen zusammen.", "Nenne alle Fristen aus dem Text.", "Übersetze den Text ins Englische.", "Wer haftet?"],
    "fr": ["Résume ce texte en deux phrases.", "Traduis le texte en anglais.", "Extrais toutes les dates du texte."],
    "es": ["Resume este texto en dos frases.", "Traduce el texto al inglés.", "Extrae todas las fechas del texto."],
    "zh": ["请用两句话总结以上内容。", "把上面的文字翻译成英文。", "提取文中所有日期。"],
    "ja": ["以上の文章を二文で要約してください。", "上の文章を英語に翻訳してください。", "文中の日付を抽出してください。"],
}
TEXTS = {**MATERIAL, "a German contract": "Der Lieferant haftet für Vorsatz und grobe Fahrlässigkeit unbeschränkt, im Übrigen nur bis zur Höhe der Vergütung; § 9 bleibt unberührt, und die Beweislast trägt, "
                                         "wer sich auf eine Ausnahme beruft. "}


@pytest.mark.parametrize("language", LAST)
@pytest.mark.parametrize("what", TEXTS)
def test_a_text_before_its_one_line_instruction_makes_it_no_harder(what, language):
    asked = [(words, size, gap) for words in LAST[language] for size in (800, 1000, 1500, 3000) for gap in ("\n\n", "\n")]
    bodies = [body((TEXTS[what] * (size // len(TEXTS[what]) + 1)).rstrip() + gap + words) for words, size, gap in asked]
    wrong = [(each, score) for each, (score, _) in zip(asked, judged(bodies)) if not is_easy(score)]
    assert not wrong, wrong


def test_a_situation_before_its_hard_question_stays_hard():
    situation = "Our scheduler keeps two queues per region, and a lease with a clock of its own lets only one worker take from each of them at a time. "
    asks = ["Design a protocol that survives a lost lease, compare it with one that needs no clocks, and prove that no task runs twice.",
            "Which failure modes can lose a task? Analyse each, weigh the remedies against each other and justify an order."]
    scores = judged([body(situation * times + "\n\n" + ask) for ask in asks for times in (4, 8, 20)])
    assert all(is_hard(score) for score, _ in scores), scores


def test_judging_a_long_text_stays_hard():
    ask = "Review this contract for the supplier: which clauses contradict each other, what are the risks, how would you redraft them and why? Weigh the alternatives."
    scores = judged([body(f"{ask}\n\n{MATERIAL['a contract'] * times}") for times in (4, 40, 400)])
    assert all(is_hard(score) for score, _ in scores), scores
